/** Reads events that are given and patterns for those that are expected. */
import { type Path } from "../config/source.ts";
import type { EventPattern, GivenEvent, LetterPattern } from "./model.ts";
import { CONTENT_TYPES, OPERATIONS } from "./names.ts";
import { isTree, type Tree, type TreeReader } from "./tree_reader.ts";

const encoder = new TextEncoder();
const JSON_TYPE = CONTENT_TYPES.indexOf("json");
const TEXT_TYPE = CONTENT_TYPES.indexOf("text");
const PAYLOADS = ["text", "json", "base64"] as const;
const GIVEN_KEYS = [
  ...PAYLOADS,
  "key",
  "attributes",
  "operation",
  "content_type",
  "timestamp",
  "source",
  "sequence",
];
const PATTERN_KEYS = [
  ...PAYLOADS,
  "subset",
  "regex",
  "cel",
  "key",
  "attributes",
  "operation",
  "source",
  "sequence",
  "timestamp",
  "marked",
];
const LETTER_KEYS = [...PATTERN_KEYS, "component", "code", "error"];
const CODES = ["failed", "invalid", "poison"];

/** An event as it is given: a text is its payload. */
export function readGiven(
  reader: TreeReader,
  value: unknown,
  path: Path,
): GivenEvent | undefined {
  if (!isTree(value)) {
    const text = reader.text(value, path);
    return text === undefined ? undefined : { ...plain(text), contentType: TEXT_TYPE };
  }
  const tree = reader.group(value, path, GIVEN_KEYS);
  if (tree === undefined) return undefined;
  const payload = givenPayload(reader, tree, path);
  if (payload === undefined) return undefined;
  const event: GivenEvent = { ...plain(""), ...payload };
  const at = (key: string) => [...path, key];
  if ("key" in tree) event.key = base64(reader.text(tree["key"], at("key")) ?? "");
  if ("attributes" in tree) event.attributes = givenAttributes(reader, tree, path);
  if ("operation" in tree) {
    const name = reader.oneOf(tree["operation"], at("operation"), OPERATIONS);
    event.operation = OPERATIONS.indexOf(name ?? "");
  }
  if ("content_type" in tree) {
    const name = reader.oneOf(tree["content_type"], at("content_type"), CONTENT_TYPES);
    event.contentType = CONTENT_TYPES.indexOf(name ?? "");
  }
  if ("timestamp" in tree) {
    const time = reader.time(tree["timestamp"], at("timestamp"));
    if (time !== undefined) event.timestamp = String(time);
  }
  if ("source" in tree) event.source = reader.text(tree["source"], at("source")) ?? "";
  if ("sequence" in tree) event.sequence = reader.whole(tree["sequence"], at("sequence")) ?? 0;
  return event;
}

function plain(text: string): GivenEvent {
  return { payload: base64(text), key: "", attributes: [], operation: 0, contentType: 0 };
}

function base64(text: string): string {
  return encoder.encode(text).toBase64();
}

function givenPayload(
  reader: TreeReader,
  tree: Tree,
  path: Path,
): Pick<GivenEvent, "payload" | "contentType"> | undefined {
  const [form, ...others] = PAYLOADS.filter((name) => name in tree);
  if (form === undefined) {
    return reader.fault(path, "Missing the payload: give one of text, json and base64", {
      at: "key",
    });
  }
  const [other] = others;
  if (other !== undefined) {
    return reader.fault([...path, other], `Cannot give both ${form} and ${other}`, { at: "key" });
  }
  const value = tree[form];
  switch (form) {
    case "json":
      return { payload: base64(JSON.stringify(value)), contentType: JSON_TYPE };
    case "base64": {
      const bytes = reader.base64(value, [...path, form]);
      return bytes && { payload: bytes.toBase64(), contentType: 0 };
    }
    case "text": {
      const text = reader.text(value, [...path, form]);
      return text === undefined ? undefined : { payload: base64(text), contentType: TEXT_TYPE };
    }
  }
}

function givenAttributes(reader: TreeReader, tree: Tree, path: Path): [string, string][] {
  const where = [...path, "attributes"];
  const attributes = tree["attributes"];
  if (!isTree(attributes)) {
    reader.expected(where, "a group of settings", attributes);
    return [];
  }
  return Object.entries(attributes).map(([name, value]) => [
    name,
    reader.text(value, [...where, name]) ?? "",
  ]);
}

/** What an event is to be like: a text is its payload. */
export function readPattern(
  reader: TreeReader,
  value: unknown,
  path: Path,
): EventPattern | undefined {
  return patternOf(reader, value, { path, keys: PATTERN_KEYS });
}

/** What a dead letter is to be like: its event, and who gave it up, and why. */
export function readLetterPattern(
  reader: TreeReader,
  value: unknown,
  path: Path,
): LetterPattern | undefined {
  const pattern: LetterPattern | undefined = patternOf(reader, value, { path, keys: LETTER_KEYS });
  if (pattern === undefined || !isTree(value)) return pattern;
  const at = (key: string) => [...path, key];
  if ("component" in value) pattern.component = reader.text(value["component"], at("component"))!;
  if ("code" in value) pattern.code = reader.oneOf(value["code"], at("code"), CODES)!;
  if ("error" in value) {
    const error = value["error"];
    const where = at("error");
    if (isTree(error)) {
      const group = reader.group(error, where, ["regex"]);
      pattern.error = reader.regex(group?.["regex"], [...where, "regex"])!;
    } else pattern.error = reader.text(error, where)!;
  }
  return pattern;
}

function patternOf(
  reader: TreeReader,
  value: unknown,
  { path, keys }: { path: Path; keys: readonly string[] },
): EventPattern | undefined {
  if (!isTree(value)) {
    const text = reader.text(value, path);
    return text === undefined ? undefined : { path, text };
  }
  const tree = reader.group(value, path, keys);
  if (tree === undefined) return undefined;
  const pattern: EventPattern = { path };
  const read: Record<string, (value: unknown, path: Path) => void> = {
    text: (value, path) => pattern.text = reader.text(value, path)!,
    base64: (value, path) => pattern.base64 = reader.base64(value, path)?.toBase64() ?? "",
    json: (value) => pattern.json = { value },
    subset: (value) => pattern.subset = { value },
    regex: (value, path) => pattern.regex = reader.regex(value, path)!,
    cel: (value, path) => pattern.cel = reader.condition(value, path)!,
    key: (value, path) => pattern.key = reader.text(value, path)!,
    attributes: (value, path) => pattern.attributes = patternAttributes(reader, value, path),
    operation: (value, path) => pattern.operation = reader.oneOf(value, path, OPERATIONS)!,
    source: (value, path) => pattern.source = reader.text(value, path)!,
    sequence: (value, path) => pattern.sequence = reader.whole(value, path)!,
    timestamp: (value, path) =>
      pattern.timestamp = Number((reader.time(value, path) ?? 0n) / 1_000_000n),
    marked: (value, path) => pattern.marked = reader.bool(value, path)!,
  };
  for (const [key, value] of Object.entries(tree)) read[key]?.(value, [...path, key]);
  return pattern;
}

function patternAttributes(
  reader: TreeReader,
  value: unknown,
  path: Path,
): [string, string | null][] {
  if (!isTree(value)) {
    reader.expected(path, "a group of settings", value);
    return [];
  }
  return Object.entries(value).map(([name, value]) => [
    name,
    value === null ? null : reader.text(value, [...path, name]) ?? "",
  ]);
}
