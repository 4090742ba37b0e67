/** Differences between two JSON values, field by field. */
import { toJsonText } from "../expression/json_value.ts";

type Json = Record<string, unknown>;

/** Longer values are shown from where they begin to differ, and this much of them. */
const LONGEST = 200;
/** Of which so much is what they have in common. */
const COMMON = 20;

/** One line for each field that differs; with `subset`, `actual` may have fields that `expected` does not name. */
export function jsonDifferences(
  expected: unknown,
  actual: unknown,
  { subset }: { subset: boolean },
  path = "payload",
): string[] {
  if (Array.isArray(expected) && Array.isArray(actual)) {
    const length = Math.max(expected.length, actual.length);
    return Array.from({ length }, (_, i) => {
      const where = `${path}[${i}]`;
      if (i >= actual.length) return [missing(where, expected[i])];
      if (i >= expected.length) return [unexpected(where, actual[i])];
      return jsonDifferences(expected[i], actual[i], { subset }, where);
    }).flat();
  }
  if (isGroup(expected) && isGroup(actual)) {
    const names = new Set([...Object.keys(expected), ...subset ? [] : Object.keys(actual)]);
    return [...names].flatMap((name) => {
      const where = /^[A-Za-z_]\w*$/.test(name) ? `${path}.${name}` : `${path}[${shown(name)}]`;
      if (!Object.hasOwn(actual, name)) return [missing(where, expected[name])];
      if (!Object.hasOwn(expected, name)) return [unexpected(where, actual[name])];
      return jsonDifferences(expected[name], actual[name], { subset }, where);
    });
  }
  if (Object.is(expected, actual) || expected === actual) return [];
  return [change(path, shown(expected), shown(actual))];
}

/** The line that says how a part differs. */
export function change(part: string, expected: string, actual: string): string {
  let from = 0;
  if (Math.max(expected.length, actual.length) > LONGEST) {
    while (from < expected.length && expected[from] === actual[from]) from++;
    from = Math.max(0, from - COMMON);
  }
  return `${part}: expected ${pieceOf(expected, from)}, got ${pieceOf(actual, from)}`;
}

function pieceOf(text: string, from: number): string {
  const piece = text.slice(from, from + LONGEST).toWellFormed();
  return `${from > 0 ? "…" : ""}${piece}${text.length > from + LONGEST ? "…" : ""}`;
}

/** A value as JSON, on one line. */
export function shown(value: unknown): string {
  return toJsonText(value);
}

function missing(path: string, expected: unknown): string {
  return change(path, shown(expected), "nothing");
}

function unexpected(path: string, actual: unknown): string {
  return change(path, "nothing", shown(actual));
}

function isGroup(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
