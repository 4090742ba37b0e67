/** Times as logs write them, as nanoseconds since 1970. */

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const NANOSECONDS = 1_000_000_000n;
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?)? ?(Z|z|[+-]\d\d:?\d\d)?$/;
const DECIMAL = /^(-?)(\d{1,20})(?:\.(\d{1,9})\d*)?$/;

/** Nanoseconds of the units that times are counted in. */
const EPOCHS: Readonly<Record<string, bigint>> = {
  epoch_s: NANOSECONDS,
  epoch_ms: 1_000_000n,
  epoch_us: 1000n,
  epoch_ns: 1n,
};

const SHORTHANDS: Readonly<Record<string, string>> = {
  clf: "%d/%b/%Y:%H:%M:%S %z",
  T: "%H:%M:%S",
  R: "%H:%M",
  F: "%Y-%m-%d",
  D: "%m/%d/%y",
};

/** A time in parts. */
export interface Parts {
  /** Without it: the year in which the time is nearest to another. */
  year?: number;
  /** From 1. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** Digits behind the point, at most nine. */
  fraction: string;
  /** Minutes east of Greenwich; without it those of `time_zone`. */
  offset?: number;
}

export interface TimeContext {
  /** Minutes east of Greenwich, for times that do not say. */
  offset: number;
  /** Milliseconds since 1970, for times that have no year. */
  near: number;
}

export type ReadTime = (value: unknown, context: TimeContext) => bigint;

/**
 * A reader of times: `iso8601`, `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, `clf`, or a pattern such as
 * `%Y-%m-%d %H:%M:%S`. Throws for a pattern that it does not know; what it returns throws where a value is no such time.
 */
export function timeReader(format: string): ReadTime {
  const unit = EPOCHS[format];
  if (unit !== undefined) return (value) => epoch(value, unit);
  if (format === "iso8601") {
    return (value, context) => nanosecondsOf(isoParts(textOf(value), format), context);
  }
  const read = patternReader(Object.hasOwn(SHORTHANDS, format) ? SHORTHANDS[format]! : format);
  return (value, context) => {
    const text = textOf(value);
    const parts = read(text);
    if (parts === undefined) throw notATime(text, format);
    return nanosecondsOf(parts, context);
  };
}

/** Minutes east of Greenwich of `UTC`, `Z`, `+02:00` or `+0200`. */
export function offsetOf(zone: string): number {
  if (/^(z|utc|gmt)$/i.test(zone)) return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return zone.startsWith("-") ? -minutes : minutes;
}

/** The number of a month by the first three letters of its name; 0 for none. */
export function monthOf(name: string): number {
  return MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1;
}

/** @param context may be left out where `parts` has year and offset */
export function nanosecondsOf(
  parts: Parts,
  { offset, near }: TimeContext = { offset: 0, near: 0 },
): bigint {
  const east = parts.offset ?? offset;
  const ms = parts.year === undefined ? nearest(parts, east, near) : utc(parts, parts.year, east);
  if (Number.isNaN(ms)) throw new Error("Cannot read the time: there is no such day or hour");
  return eventTime(BigInt(ms) * 1_000_000n + BigInt(parts.fraction.padEnd(9, "0")));
}

/** `nanoseconds` since 1970, if an event can have that time. Throws otherwise. */
export function eventTime(nanoseconds: bigint): bigint {
  if (BigInt.asIntN(64, nanoseconds) === nanoseconds) return nanoseconds;
  throw new Error("Cannot use the time: those of events are between the years 1678 and 2261");
}

function utc({ month, day, hour, minute, second }: Parts, year: number, offset: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // 60 is a leap second.
  const valid = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 &&
    minute < 60 && second <= 60;
  return valid ? date.setUTCHours(hour, minute, second) - offset * 60_000 : NaN;
}

function nearest(parts: Parts, offset: number, near: number): number {
  const year = new Date(near).getUTCFullYear();
  return [year - 1, year, year + 1].map((year) => utc(parts, year, offset)).reduce((best, ms) =>
    Number.isNaN(best) || Math.abs(ms - near) < Math.abs(best - near) ? ms : best
  );
}

function isoParts(text: string, format: string): Parts {
  const match = ISO.exec(text);
  if (match === null) throw notATime(text, format);
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone] = match;
  return {
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    fraction,
    ...(zone === undefined ? {} : { offset: offsetOf(zone) }),
  };
}

function epoch(value: unknown, unit: bigint): bigint {
  const text = textOf(value);
  const match = DECIMAL.exec(text);
  if (match === null) throw notATime(text, "a number");
  const [, sign, whole, decimals = ""] = match;
  const nanoseconds = BigInt(whole!) * unit + BigInt(decimals.padEnd(9, "0")) * unit / NANOSECONDS;
  return eventTime(sign === "-" ? -nanoseconds : nanoseconds);
}

/** What each letter of a pattern stands for, and which part it is. */
const DIRECTIVES: Readonly<
  Record<string, [pattern: string, take?: (parts: Draft, text: string) => void]>
> = {
  Y: ["\\d{4}", (parts, text) => parts.year = Number(text)],
  y: ["\\d\\d", (parts, text) => parts.year = Number(text) + (Number(text) < 69 ? 2000 : 1900)],
  m: ["\\d\\d?", (parts, text) => parts.month = Number(text)],
  d: [" ?\\d\\d?", (parts, text) => parts.day = Number(text)],
  e: [" ?\\d\\d?", (parts, text) => parts.day = Number(text)],
  H: ["\\d\\d?", (parts, text) => parts.hour = Number(text)],
  I: ["\\d\\d?", (parts, text) => parts.hour = Number(text) % 12],
  p: ["[AaPp][Mm]", (parts, text) => parts.afternoon = /^p/i.test(text)],
  M: ["\\d\\d", (parts, text) => parts.minute = Number(text)],
  S: ["\\d\\d", (parts, text) => parts.second = Number(text)],
  f: ["\\d{1,9}", (parts, text) => parts.fraction = text],
  b: ["[A-Za-z]{3}", (parts, text) => parts.month = monthOf(text)],
  h: ["[A-Za-z]{3}", (parts, text) => parts.month = monthOf(text)],
  B: ["[A-Za-z]{3,9}", (parts, text) => parts.month = monthOf(text)],
  a: ["[A-Za-z]{3}"],
  A: ["[A-Za-z]{6,9}"],
  z: ["(?:Z|[+-]\\d\\d:?\\d\\d)", (parts, text) => parts.offset = offsetOf(text)],
  Z: ["(?:UTC|GMT|Z)", (parts, text) => parts.offset = offsetOf(text)],
  "%": ["%"],
};

interface Draft extends Parts {
  afternoon?: boolean;
}

/** Undefined: the text does not fit the pattern. */
function patternReader(pattern: string): (text: string) => Parts | undefined {
  const takes: ((parts: Draft, text: string) => void)[] = [];
  const full = pattern.replace(/%([TRFD])/g, (_, letter: string) => SHORTHANDS[letter]!);
  const source = full.replace(/%(.?)|[^%]+/g, (text, letter?: string) => {
    if (letter === undefined) return RegExp.escape(text);
    const directive = Object.hasOwn(DIRECTIVES, letter) ? DIRECTIVES[letter] : undefined;
    if (directive === undefined) {
      throw new Error(`Cannot use time format "${pattern}": %${letter} is not known`);
    }
    if (directive[1] !== undefined) takes.push(directive[1]);
    return directive[1] === undefined ? directive[0] : `(${directive[0]})`;
  });
  if (takes.length === 0) {
    throw new Error(
      `Cannot use time format "${pattern}": expected iso8601, epoch_s, epoch_ms, epoch_us, epoch_ns, clf or a pattern such as %Y-%m-%d`,
    );
  }
  const expression = new RegExp(`^${source}$`);
  return (text) => {
    const match = expression.exec(text);
    if (match === null) return undefined;
    const parts: Draft = { month: 1, day: 1, hour: 0, minute: 0, second: 0, fraction: "" };
    for (let i = 0; i < takes.length; i++) takes[i]!(parts, match[i + 1]!);
    if (parts.afternoon) parts.hour += 12;
    return parts;
  };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw new Error("Cannot read the time: it is neither text nor a number");
}

function notATime(text: string, format: string): Error {
  return new Error(`Cannot read ${JSON.stringify(text.slice(0, 64))} as a time by ${format}`);
}
