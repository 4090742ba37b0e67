/** What the value of an expression has to be, and how it gets there. */
import { Duration, UnsignedInt } from "@marcbachmann/cel-js/evaluator";
import { eventTime } from "../config/time_formats.ts";
import { durationText, isoText, parseTimestamp, timestampOf, timestampOfSeconds } from "./time.ts";

const OPERATIONS = ["message", "insert", "update", "delete"] as const;
type OperationName = (typeof OPERATIONS)[number];

/** By the kind that is wanted, what an expression gives. */
export interface Results {
  bool: boolean;
  /** Numbers, booleans, times and durations as text too. */
  string: string;
  number: number;
  /** The name of an operation. */
  operation: OperationName;
  /** Nanoseconds since 1970; a number is seconds, a text RFC 3339. */
  timestamp: bigint;
  /** As CEL has it: whole numbers as `bigint`. */
  any: unknown;
}

export type Wanted = keyof Results;

interface Conversion<T> {
  /** In words for messages. */
  words: string;
  /** Types in CEL that it may have; all, without it. */
  types?: readonly string[];
  convert(value: unknown): T;
}

const NUMBERS = ["int", "uint", "double", "dyn"];
const TIMES = ["google.protobuf.Timestamp"];

export const CONVERSIONS: { readonly [W in Wanted]: Conversion<Results[W]> } = {
  bool: {
    words: "true or false",
    types: ["bool", "dyn"],
    convert(value) {
      if (typeof value === "boolean") return value;
      throw new Error(`Expected true or false, found ${kindOf(value)}`);
    },
  },
  string: {
    words: "text",
    types: ["string", "bool", "google.protobuf.Duration", ...NUMBERS, ...TIMES],
    convert(value) {
      if (typeof value === "string") return value;
      if (typeof value !== "object") return String(value);
      if (value instanceof Date) return isoText(timestampOf(value));
      const text = scalarText(value);
      if (text !== undefined) return text;
      throw new Error(`Expected text, found ${kindOf(value)}`);
    },
  },
  number: {
    words: "a number",
    types: NUMBERS,
    convert(value) {
      if (typeof value === "number") return value;
      if (typeof value === "bigint" || value instanceof UnsignedInt) return Number(value);
      throw new Error(`Expected a number, found ${kindOf(value)}`);
    },
  },
  operation: {
    words: "an operation",
    types: ["string", "dyn"],
    convert(value) {
      const name = OPERATIONS.find((one) => one === value);
      if (name !== undefined) return name;
      const found = typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : kindOf(value);
      throw new Error(`Expected one of ${OPERATIONS.join(", ")}, found ${found}`);
    },
  },
  timestamp: {
    words: "a time",
    types: ["string", ...NUMBERS, ...TIMES],
    convert(value) {
      if (value instanceof Date) return eventTime(timestampOf(value));
      if (typeof value === "string") return parseTimestamp(value);
      if (typeof value === "number" || typeof value === "bigint") {
        return eventTime(timestampOfSeconds(Number(value)));
      }
      throw new Error(`Expected a time, found ${kindOf(value)}`);
    },
  },
  any: { words: "a value", convert: (value) => value },
};

/** The text of one of the library's own numbers and durations. */
function scalarText(value: unknown): string | undefined {
  if (value instanceof Duration) return durationText(value);
  return value instanceof UnsignedInt ? String(value) : undefined;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Date) return "a time";
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return `${value}`;
  if (typeof value === "number" || typeof value === "bigint") return `the number ${value}`;
  return scalarText(value) ?? "a map";
}
