/**
 * Reads text that was put in (by `${…}`, a variable or a flag) as what a schema wants at its place.
 * @param wanted JSON Schema or zod names of types
 * @returns undefined if the text does not say such a value
 */
export function coerceText(text: string, wanted: readonly string[]): number | boolean | undefined {
  const value = text.trim();
  for (const type of wanted) {
    if (type === "boolean" && (value === "true" || value === "false")) return value === "true";
    const whole = type === "integer" || type === "int";
    if (whole && /^-?\d+$/.test(value) && Number.isSafeInteger(Number(value))) return Number(value);
    if (type === "number" && /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) {
      return Number(value);
    }
  }
  return undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  integer: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a group of settings",
  record: "a group of settings",
  null: "nothing",
};

/** Names a type of a schema in words: `a whole number`. */
export function typeInWords(type: string): string {
  return WORDS[type] ?? type;
}

/** Names what a value is without showing it, since it may be a secret. */
export function valueInWords(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number") return `the number ${value}`;
  if (typeof value === "boolean") return `${value}`;
  return typeof value === "string" ? "text" : "a group of settings";
}

/** The value at a path of plain JSON; undefined where there is none. */
export function valueAt(tree: unknown, path: readonly (string | number)[]): unknown {
  let value = tree;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** Replaces the value at a path that exists. */
export function replaceAt(tree: unknown, path: readonly (string | number)[], value: unknown): void {
  const parent = valueAt(tree, path.slice(0, -1)) as Record<string | number, unknown>;
  parent[path[path.length - 1]!] = value;
}

/** The keys of a JSON pointer into `tree`; an index where the value is a list. */
export function keysOf(pointer: string, tree: unknown): (string | number)[] {
  const keys: (string | number)[] = [];
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    keys.push(Array.isArray(valueAt(tree, keys)) ? Number(key) : key);
  }
  return keys;
}
