/** Compares an event with what it is to be like. */
import type { Expression } from "../expression/expression.ts";
import { parseJson, payloadValue } from "../expression/payloads.ts";
import type { EventPattern, LetterPattern, SeenEvent, SeenLetter } from "./model.ts";
import { change, jsonDifferences, shown } from "./json_diff.ts";
import { CONTENT_TYPES } from "./names.ts";

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const LONGEST = 200;

/** What is different, one line each, naming the part; none: the event is as expected. */
export function differences(pattern: EventPattern, seen: SeenEvent): string[] {
  return [
    ...payloadDifferences(pattern, seen),
    ...differs("key", pattern.key, textOf(seen.key)),
    ...attributeDifferences(pattern.attributes ?? [], seen.attributes),
    ...differs("operation", pattern.operation, seen.operation),
    ...differs("source", pattern.source, seen.source),
    ...differs("sequence", pattern.sequence, seen.sequence),
    ...differs("timestamp", isoOf(pattern.timestamp), isoOf(millisecondsOf(seen))),
    ...differs("marked", pattern.marked, seen.marked),
    ...celDifferences(pattern, seen),
  ];
}

/** The same for a dead letter. */
export function letterDifferences(pattern: LetterPattern, seen: SeenLetter): string[] {
  const { error } = pattern;
  return [
    ...differs("component", pattern.component, seen.component),
    ...differs("code", pattern.code, seen.code),
    ...error instanceof RegExp
      ? error.test(seen.error) ? [] : [change("error", `match for ${error}`, shown(seen.error))]
      : differs("error", error, seen.error),
    ...differences(pattern, seen),
  ];
}

/** The payload in one line, for people. */
export function summary(seen: SeenEvent): string {
  const text = strictText(seen.payload);
  const payload = text === undefined
    ? `base64 ${seen.payload}`
    : seen.contentType === "json"
    ? text
    : shown(text);
  const others = [
    ...(seen.key === "" ? [] : [`key ${shown(textOf(seen.key))}`]),
    ...seen.attributes.map(([name, value]) => `${name}=${shown(value)}`),
  ];
  const whole = [payload, ...others].join(", ");
  return whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
}

/** What an event is to be like, in one line. */
export function patternSummary(pattern: EventPattern): string {
  const { text, base64, json, subset, regex, cel, key } = pattern;
  const parts = [
    ...(text === undefined ? [] : [shown(text)]),
    ...(base64 === undefined ? [] : [`base64 ${base64}`]),
    ...(json === undefined ? [] : [JSON.stringify(json.value)]),
    ...(subset === undefined ? [] : [`subset ${JSON.stringify(subset.value)}`]),
    ...(regex === undefined ? [] : [`match for ${regex}`]),
    ...(cel === undefined ? [] : [cel.text]),
    ...(key === undefined ? [] : [`key ${shown(key)}`]),
  ];
  const whole = parts.join(", ") || "any event";
  return whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
}

function payloadDifferences(pattern: EventPattern, seen: SeenEvent): string[] {
  const found: string[] = [];
  const { text, base64, json, subset, regex } = pattern;
  if (text !== undefined && encoder.encode(text).toBase64() !== seen.payload) {
    const actual = strictText(seen.payload);
    const got = actual === undefined ? `base64 ${seen.payload}` : shown(actual);
    found.push(change("payload", shown(text), got));
  }
  if (base64 !== undefined) found.push(...differs("payload", base64, seen.payload));
  if (regex !== undefined && !regex.test(textOf(seen.payload))) {
    found.push(change("payload", `match for ${regex}`, shown(textOf(seen.payload))));
  }
  if (json === undefined && subset === undefined) return found;
  let value: unknown;
  try {
    value = parseJson(textOf(seen.payload));
  } catch {
    return [...found, change("payload", "JSON", shown(textOf(seen.payload)))];
  }
  if (json !== undefined) found.push(...jsonDifferences(json.value, value, { subset: false }));
  if (subset !== undefined) found.push(...jsonDifferences(subset.value, value, { subset: true }));
  return found;
}

function attributeDifferences(
  expected: readonly [string, string | null][],
  seen: readonly [string, string][],
): string[] {
  const values = new Map(seen);
  return expected.flatMap(([name, value]) => {
    const actual = values.get(name);
    if ((value ?? undefined) === actual) return [];
    const show = (text: string | null | undefined) => text == null ? "none" : shown(text);
    return [change(`attributes.${name}`, show(value), show(actual))];
  });
}

function celDifferences({ cel }: EventPattern, seen: SeenEvent): string[] {
  if (cel === undefined) return [];
  try {
    return cel.evaluateWith(variablesOf(seen, cel.reads)) ? [] : [`${cel.text}: is false`];
  } catch (error) {
    return [`${cel.text}: ${(error as Error).message}`];
  }
}

/** What an expression sees of an event, as far as it `reads` it. */
function variablesOf(
  seen: SeenEvent,
  reads: Expression<boolean>["reads"],
): Record<string, unknown> {
  const bytes = Uint8Array.fromBase64(seen.payload);
  const { operation, contentType: content_type, source, marked } = seen;
  return {
    ...(reads.has("payload")
      ? { payload: payloadValue(CONTENT_TYPES.indexOf(content_type), bytes) }
      : {}),
    text: lenient.decode(bytes),
    key: textOf(seen.key),
    attributes: Object.assign(Object.create(null), Object.fromEntries(seen.attributes)),
    operation,
    content_type,
    source,
    sequence: BigInt(seen.sequence),
    timestamp: new Date(millisecondsOf(seen)),
    size: BigInt(bytes.length),
    marked,
  };
}

function differs<T extends string | number | boolean>(
  part: string,
  expected: T | undefined,
  actual: T,
): string[] {
  if (expected === undefined || expected === actual) return [];
  return [change(part, shown(expected), shown(actual))];
}

function textOf(base64: string): string {
  return lenient.decode(Uint8Array.fromBase64(base64));
}

function strictText(base64: string): string | undefined {
  try {
    return strict.decode(Uint8Array.fromBase64(base64));
  } catch {
    return undefined;
  }
}

function millisecondsOf({ timestamp }: SeenEvent): number {
  return Number(BigInt(timestamp) / 1_000_000n);
}

function isoOf(time: number): string;
function isoOf(time: number | undefined): string | undefined;
function isoOf(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}
