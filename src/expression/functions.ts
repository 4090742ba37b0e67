import type { Environment } from "@marcbachmann/cel-js";
import { toJsonText } from "./json_value.ts";
import { parseJson } from "./payloads.ts";
import { dateOf, durationText, isoText, timestampOf } from "./time.ts";

/** The type of `math`, which is there for its functions alone. */
class MathFunctions {}

type Numeric = number | bigint;
// deno-lint-ignore no-explicit-any -- a function's arguments have the types that its signature says
type Handler = (...values: any[]) => unknown;

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

const FUNCTIONS: Readonly<Record<string, Handler>> = {
  "string(google.protobuf.Timestamp): string": (date: Date) => isoText(timestampOf(date)),
  "string(google.protobuf.Duration): string": durationText,
  "int(google.protobuf.Timestamp): int": (date: Date) => BigInt(Math.floor(date.getTime() / 1000)),
  "double(google.protobuf.Timestamp): double": (date: Date) => date.getTime() / 1000,
  "double(google.protobuf.Duration): double": (duration: object) =>
    Number(duration.valueOf()) / 1000,
  "timestamp(double): google.protobuf.Timestamp": dateOf,
  "string.replace(string, string): string": (text: string, from: string, to: string) =>
    text.replaceAll(from, () => to),
  "string.extract(string): string": extract,
  "parseJson(string): dyn": parseJson,
  "toJson(dyn): string": toJsonText,
  "hash(string): int": (text: string) => BigInt(hash(text)),
  "math.abs(double): double": (_, value: number) => Math.abs(value),
  "math.abs(int): int": (_, value: bigint) => value < 0n ? -value : value,
  "math.ceil(double): double": (_, value: number) => Math.ceil(value),
  "math.floor(double): double": (_, value: number) => Math.floor(value),
  "math.round(double): double": (_, value: number) =>
    Math.sign(value) * Math.round(Math.abs(value)),
  "math.trunc(double): double": (_, value: number) => Math.trunc(value),
};

const GREATEST = (_: unknown, a: Numeric, b: Numeric) => a < b ? b : a;
const LEAST = (_: unknown, a: Numeric, b: Numeric) => b < a ? b : a;

/**
 * Adds what events need beside CEL's own functions. Numbers of JSON are doubles, and people count with whole numbers, so
 * arithmetic takes one of each.
 */
export function registerFunctions(environment: Environment): Environment {
  for (const [operator, apply] of Object.entries(ARITHMETIC)) {
    const handler = (a: Numeric, b: Numeric) => apply(Number(a), Number(b));
    environment.registerOperator(`double ${operator} int: double`, handler);
    environment.registerOperator(`int ${operator} double: double`, handler);
  }
  environment.registerOperator("double % double: double", ARITHMETIC["%"]!);
  environment.registerType("math", { ctor: MathFunctions, fields: {} });
  environment.registerConstant("math", "math", new MathFunctions());
  for (const [signature, handler] of Object.entries(FUNCTIONS)) {
    environment.registerFunction(signature, handler, { async: false });
  }
  for (const type of ["int", "double"]) {
    environment.registerFunction(`math.greatest(${type}, ${type}): ${type}`, GREATEST, {
      async: false,
    });
    environment.registerFunction(`math.least(${type}, ${type}): ${type}`, LEAST, { async: false });
  }
  // Whole numbers of JSON that a double does not hold.
  for (const name of ["ceil", "floor", "round", "trunc"]) {
    environment.registerFunction(`math.${name}(int): int`, (_: unknown, value: bigint) => value, {
      async: false,
    });
  }
  for (const [a, b] of [["int", "double"], ["double", "int"]]) {
    environment.registerFunction(`math.greatest(${a}, ${b}): dyn`, GREATEST, { async: false });
    environment.registerFunction(`math.least(${a}, ${b}): dyn`, LEAST, { async: false });
  }
  return environment;
}

/** The first group of the first match, or the whole match where the pattern has no group; "" without a match. */
function extract(text: string, pattern: string): string {
  const match = new RegExp(pattern, "u").exec(text);
  return match === null ? "" : match[1] ?? (match.length === 1 ? match[0] : "");
}

/** 32 bits that depend on every character alike (FNV-1a, then MurmurHash3's finish); the same on every machine. */
export function hash(text: string): number {
  let state = 2166136261;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 16777619);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
