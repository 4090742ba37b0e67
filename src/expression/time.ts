/** Times as CEL has them (`Date`), as events have them (nanoseconds since 1970) and as RFC 3339 writes them; durations. */
import { nanosecondsOf, offsetOf } from "../config/time_formats.ts";

const NANOSECONDS = 1_000_000_000n;
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(Z|z|[+-]\d\d:?\d\d)$/;

/** Nanoseconds since 1970 of a time in CEL. */
export function timestampOf(date: Date): bigint {
  const ms = date.getTime();
  if (Number.isNaN(ms)) throw new Error("Invalid time");
  return BigInt(ms) * 1_000_000n;
}

/** The time `seconds` after 1970. Throws where there is none. */
export function dateOf(seconds: number): Date {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new Error(`No time is ${seconds} seconds after 1970`);
  return date;
}

/** Nanoseconds since 1970 of seconds since 1970, in JSON's precision: microseconds, for today. */
export function timestampOfSeconds(seconds: number): bigint {
  dateOf(seconds);
  const whole = Math.floor(seconds);
  return BigInt(whole) * NANOSECONDS + BigInt(Math.round((seconds - whole) * 1e6)) * 1000n;
}

/** Nanoseconds since 1970 of a text such as 2026-11-20T18:25:00.123456789Z. Throws where it is none. */
export function parseTimestamp(text: string): bigint {
  const match = RFC3339.exec(text);
  if (match === null) {
    throw new Error(
      `Cannot read ${JSON.stringify(text.slice(0, 64))} as a time such as 2026-11-20T18:25:00Z`,
    );
  }
  const [, year, month, day, hour, minute, second, fraction = "", zone] = match;
  return nanosecondsOf({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    fraction,
    offset: offsetOf(zone!),
  });
}

/** Nanoseconds since 1970 as RFC 3339 writes them, with as many decimals as it takes. */
export function isoText(timestamp: bigint): string {
  const nanoseconds = ((timestamp % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const seconds = new Date(Number((timestamp - nanoseconds) / 1_000_000n)).toISOString();
  return `${seconds.slice(0, -5)}${decimals(nanoseconds)}Z`;
}

/** A duration of CEL in seconds, with as many decimals as it takes: `-1.5s`. */
export function durationText({ seconds, nanos }: { seconds: bigint; nanos: number }): string {
  const nanoseconds = seconds * NANOSECONDS + BigInt(nanos);
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  return `${nanoseconds < 0n ? "-" : ""}${size / NANOSECONDS}${decimals(size % NANOSECONDS)}s`;
}

/** The digits behind the seconds, with their point; none where there are but zeros. */
function decimals(nanoseconds: bigint): string {
  return `.${String(nanoseconds).padStart(9, "0")}`.replace(/\.?0+$/, "");
}
