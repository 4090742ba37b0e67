/** Events as lines of JSON. */
import { ContentType, RecordFlag } from "../../../ffi/layout.ts";
import type { RecordReader } from "../../event/reader.ts";
import type { BuiltinContext } from "../builtin.ts";
import { isoTime, operationName, sourceName, textMember, utf8 } from "./event_text.ts";

/** The event a reader stands on as a JSON object, and a line end. */
export function jsonLine(reader: RecordReader, context: BuiltinContext): string {
  const { key, flags } = reader;
  const head = JSON.stringify({
    sequence: reader.sequence,
    source: sourceName(context, reader.source),
    timestamp: isoTime(reader.timestamp),
    operation: operationName(reader.operation),
    ...(key.length === 0 ? { key: null } : textMember("key", key)),
    ...((flags & RecordFlag.MARKED) !== 0 ? { marked: true } : {}),
  });
  return `${head.slice(0, -1)},${payloadMember(reader)}}\n`;
}

/** JSON goes in as it is, so that no digit of a number is lost. */
function payloadMember(reader: RecordReader): string {
  const { payload } = reader;
  const text = reader.contentType === ContentType.JSON ? utf8(payload) : undefined;
  if (text !== undefined && isJson(text)) {
    // Line ends can only stand between the tokens.
    return `"payload":${text.replace(/[\r\n]+/g, " ")}`;
  }
  return JSON.stringify(textMember("payload", payload)).slice(1, -1);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
