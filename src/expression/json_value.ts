/** JSON of what expressions give. */
import { Optional } from "@marcbachmann/cel-js";
import { Duration, UnsignedInt } from "@marcbachmann/cel-js/evaluator";
import { durationText, isoText, timestampOf } from "./time.ts";

declare global {
  interface JSON {
    /** A value that `JSON.stringify` writes as this text. */
    rawJSON(text: string): unknown;
  }
}

/**
 * JSON text of a value of CEL: whole numbers with all their digits, times in RFC 3339, durations such as "1.5s", bytes in
 * base64, members and elements that are absent optionals left out.
 * @throws Error for a value that JSON has no form for
 */
export function toJsonText(value: unknown): string {
  const plain = toPlain(value);
  if (plain === undefined) throw new Error("The value is absent");
  return JSON.stringify(plain);
}

/** The same as values that `JSON.stringify` takes; what is plain already is not copied. Undefined for what is absent. */
function toPlain(value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new Error(`JSON has no number ${value}`);
      return value;
    case "bigint":
      return JSON.rawJSON(String(value));
    case "object":
      return value === null ? null : plainObject(value);
    default:
      throw new Error("JSON has no form for this value");
  }
}

function plainObject(value: object): unknown {
  if (Array.isArray(value)) return plainList(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return plainMap(value as Record<string, unknown>);
  }
  if (value instanceof Date) return isoText(timestampOf(value));
  if (value instanceof Uint8Array) return value.toBase64();
  if (value instanceof UnsignedInt) return JSON.rawJSON(String(value));
  if (value instanceof Duration) return durationText(value);
  if (value instanceof Optional) return value.hasValue() ? toPlain(value.value()) : undefined;
  if (value instanceof Map) return plainMap(Object.fromEntries(value));
  if (value instanceof Set) return plainList([...value]);
  throw new Error("JSON has no form for this value");
}

function plainList(list: readonly unknown[]): unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const plain = toPlain(list[i]);
    if (plain !== list[i]) (copy ??= [...list])[i] = plain;
  }
  return copy?.filter((value) => value !== undefined) ?? list as unknown[];
}

function plainMap(map: Record<string, unknown>): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const name in map) {
    const plain = toPlain(map[name]);
    // JSON.stringify leaves out what is undefined.
    if (plain !== map[name]) (copy ??= { ...map })[name] = plain;
  }
  return copy ?? map;
}
