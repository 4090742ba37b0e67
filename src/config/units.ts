const DURATIONS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const SIZES = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

const RATES = { "/s": 1, "/m": 60, "/h": 3600 } as const;

/** What each kind of value looks like, as regular expressions for the published JSON Schema. */
export const DURATION_PATTERN = "^\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)$";
export const SIZE_PATTERN = "^\\d+(\\.\\d+)?\\s*([kKMGT]B|[KMGT]iB|B)?$";
export const RATE_PATTERN = "^\\d+(\\.\\d+)?\\s*(/[smh])?$";

interface Unit {
  what: string;
  factors: Readonly<Record<string, number>>;
  /** The factor of a number without a unit; without it only 0 may stand alone. */
  bare?: number;
  expected: string;
}

const DURATION: Unit = {
  what: "duration",
  factors: DURATIONS,
  expected: "a number with ms, s, m, h or d, such as 500ms, 30s or 5m",
};
const SIZE: Unit = {
  what: "size",
  factors: SIZES,
  bare: 1,
  expected: "a number of bytes, or a number with a unit such as 64MiB, 10MB or 1024B",
};
const RATE: Unit = {
  what: "rate",
  factors: RATES,
  bare: 1,
  expected: "a number per second, or a number with /s, /m or /h, such as 100/s or 6000/m",
};

function parse(value: string | number, unit: Unit): { number: number; factor: number } {
  const match = /^(\d+(?:\.\d+)?)\s*(\D*)$/.exec(
    typeof value === "string" ? value.trim() : `${value}`,
  );
  const number = Number(match?.[1]);
  const name = match?.[2] ?? "";
  const factor = name === ""
    ? unit.bare ?? (number === 0 ? 1 : undefined)
    : Object.hasOwn(unit.factors, name)
    ? unit.factors[name]
    : undefined;
  if (match === null || factor === undefined || !Number.isFinite(number * factor)) {
    throw new RangeError(
      `Cannot read ${unit.what} ${JSON.stringify(value)}: expected ${unit.expected}`,
    );
  }
  return { number, factor };
}

/**
 * Reads a duration such as `500ms`, `30s`, `5m`, `1h` or `1d`; `0` needs no unit.
 * @returns milliseconds
 * @throws RangeError that says what was expected
 */
export function parseDuration(value: string | number): number {
  const { number, factor } = parse(value, DURATION);
  return number * factor;
}

/**
 * Reads a size such as `64MiB` (binary), `10MB` (decimal), `1024B`, or a bare number of bytes.
 * @returns whole bytes
 * @throws RangeError that says what was expected
 */
export function parseSize(value: string | number): number {
  const { number, factor } = parse(value, SIZE);
  return Math.floor(number * factor);
}

/**
 * Reads a rate such as `100/s`, `6000/m`, `3600/h`, or a bare number per second.
 * @returns events (or whatever is counted) per second
 * @throws RangeError that says what was expected
 */
export function parseRate(value: string | number): number {
  const { number, factor } = parse(value, RATE);
  return number / factor;
}
