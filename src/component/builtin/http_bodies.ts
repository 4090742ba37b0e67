import { ContentType } from "../../../ffi/layout.ts";
import type { EventView } from "../../expression/event_view.ts";
import type { Expression } from "../../expression/expression.ts";
import { toJsonText } from "../../expression/json_value.ts";
import { utf8 } from "./event_text.ts";

const encoder = new TextEncoder();
const LINE_FEED = 10;
const SPACE = 32;
const CARRIAGE_RETURN = 13;

export type BodyFormat = "ndjson" | "array" | "single";

/** What becomes of one event in a body. */
export interface BodyPart {
  bytes: Uint8Array;
  type: string;
}

/** Makes the parts of bodies. */
export class BodyParts {
  readonly #format: BodyFormat;
  readonly #expression: Expression<unknown> | undefined;

  constructor(format: BodyFormat, expression: Expression<unknown> | undefined) {
    this.#format = format;
    this.#expression = expression;
  }

  /** The part of the event that the view stands on, in memory of its own. @throws Error that says what is wrong with the event */
  partOf(view: EventView): BodyPart {
    if (this.#expression !== undefined) {
      const value = this.#expression.evaluate(view);
      const isText = this.#format === "single" && typeof value === "string";
      return {
        bytes: encoder.encode(isText ? value : toJsonText(value)),
        type: isText ? "text/plain; charset=utf-8" : "application/json",
      };
    }
    const { payload, contentType } = view.reader;
    if (this.#format === "single") return { bytes: payload.slice(), type: typeOf(contentType) };
    const isJson = contentType === ContentType.JSON;
    if (this.#format === "ndjson") return { bytes: asLine(payload, isJson), type: "" };
    return { bytes: isJson ? payload.slice() : asJson(payload), type: "" };
  }

  /** A body of parts, and its type. */
  join(parts: readonly BodyPart[]): BodyPart {
    const [first] = parts;
    if (this.#format === "single") return first!;
    const isArray = this.#format === "array";
    const length = parts.reduce((sum, { bytes }) => sum + bytes.length + 1, isArray ? 1 : 0);
    const bytes = new Uint8Array(length);
    let at = 0;
    if (isArray) bytes[at++] = "[".charCodeAt(0);
    for (const part of parts) {
      bytes.set(part.bytes, at);
      at += part.bytes.length;
      bytes[at++] = isArray ? ",".charCodeAt(0) : LINE_FEED;
    }
    if (isArray) bytes[at - 1] = "]".charCodeAt(0);
    return { bytes, type: isArray ? "application/json" : "application/x-ndjson" };
  }
}

function typeOf(contentType: number): string {
  if (contentType === ContentType.JSON) return "application/json";
  return contentType === ContentType.TEXT
    ? "text/plain; charset=utf-8"
    : "application/octet-stream";
}

/** Line ends in JSON can only stand between the tokens; other payloads with line ends become several lines. */
function asLine(payload: Uint8Array, isJson: boolean): Uint8Array {
  const line = payload.slice();
  if (!isJson) return line;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = SPACE;
  }
  return line;
}

function asJson(payload: Uint8Array): Uint8Array {
  const text = utf8(payload);
  if (text === undefined) throw new Error("The payload is not UTF-8, so it cannot be JSON");
  return encoder.encode(JSON.stringify(text));
}
