/** Where the events of a request's body begin and end. Nothing is copied. */

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;

/** First byte of an event and the byte after its last. */
export type Span = readonly [start: number, end: number];

/** Gives one event after the other; undefined at the end. */
export interface Splitter {
  readonly count: number;
  next(): Span | undefined;
}

/** The whole body is one event. */
export function whole(body: Uint8Array): Splitter {
  let given = false;
  return {
    count: 1,
    next() {
      if (given) return undefined;
      given = true;
      return [0, body.length];
    },
  };
}

/** A line for each event; empty ones are none. */
export function lines(body: Uint8Array): Splitter {
  return { count: countLines(body), next: lineReader(body) };
}

function countLines(body: Uint8Array): number {
  const next = lineReader(body);
  let count = 0;
  while (next() !== undefined) count++;
  return count;
}

function lineReader(body: Uint8Array): () => Span | undefined {
  let at = textStart(body);
  return () => {
    while (at < body.length) {
      const start = at;
      const found = body.indexOf(NEWLINE, start);
      const end = found < 0 ? body.length : found;
      at = end + 1;
      const stop = end > start && body[end - 1] === RETURN ? end - 1 : end;
      if (stop > start) return [start, stop];
    }
    return undefined;
  };
}

/**
 * The elements of a JSON array, as they are written.
 *
 * @throws {SyntaxError} when the body is no JSON array
 */
export function elements(body: Uint8Array): Splitter {
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  if (!Array.isArray(value)) throw new SyntaxError("it is no array");
  let at = skipSpace(body, textStart(body)) + 1;
  let left = value.length;
  return {
    count: left,
    next() {
      if (left === 0) return undefined;
      left--;
      const start = skipSpace(body, at);
      const end = elementEnd(body, start);
      at = end + 1;
      return [start, trimmed(body, start, end)];
    },
  };
}

/** Behind a byte order mark, which some clients put before what they send. */
function textStart(body: Uint8Array): number {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
}

/** The comma or bracket behind a value of JSON that is known to be valid. */
function elementEnd(body: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) at = stringEnd(body, at);
    else if (byte === 91 || byte === 123) depth++;
    else if (byte === 93 || byte === 125) {
      if (depth === 0) return at;
      depth--;
    } else if (byte === COMMA && depth === 0) return at;
  }
  return body.length;
}

function stringEnd(body: Uint8Array, start: number): number {
  for (let at = start + 1; at < body.length; at++) {
    if (body[at] === BACKSLASH) at++;
    else if (body[at] === QUOTE) return at;
  }
  return body.length;
}

function skipSpace(body: Uint8Array, from: number): number {
  let at = from;
  while (at < body.length && body[at]! <= 32) at++;
  return at;
}

function trimmed(body: Uint8Array, start: number, end: number): number {
  let stop = end;
  while (stop > start && body[stop - 1]! <= 32) stop--;
  return stop;
}
