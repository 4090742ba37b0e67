import { isoTime, operationName, textMember, utf8 } from "../component/builtin/event_text.ts";
import { attributePairs } from "../event/attributes.ts";
import type { StoredLetter } from "../store/letter_box.ts";

/** Of a payload, in a list. */
const PREVIEW = 120;

/** A dead letter in a list: all but the whole event. */
export function letterSummary(letter: StoredLetter): Record<string, unknown> {
  const {
    key,
    payload,
    attributes: _,
    timestamp,
    operation,
    at,
    contentType: __,
    flags: ___,
    ...facts
  } = letter;
  return {
    ...facts,
    at: new Date(at).toISOString(),
    operation: operationName(operation),
    timestamp: isoTime(timestamp),
    ...textMember("key", key, PREVIEW),
    bytes: payload.length,
    preview: (utf8(payload.subarray(0, PREVIEW * 4)) ?? "").slice(0, PREVIEW),
  };
}

/** A dead letter with its event. Bytes that are not UTF-8 are in `…_base64`. */
export function letterView(letter: StoredLetter): Record<string, unknown> {
  const { preview: _, key: __, key_base64: ___, ...summary } = letterSummary(letter);
  const { key, payload, attributes, contentType, flags } = letter;
  return {
    ...summary,
    contentType,
    flags,
    ...textMember("key", key),
    attributes: Object.fromEntries(attributePairs(attributes)),
    ...textMember("payload", payload),
  };
}
