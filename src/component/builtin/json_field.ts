const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const COLON = 58;
const COMMA = 44;
const MINUS = 45;
/** Digits of numbers that are written as JavaScript would write them. */
const PLAIN_DIGITS = 15;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Finds one member of JSON objects without parsing them. It goes over the bytes once and compares keys at the top level;
 * where that does not suffice (escapes, uncommon numbers, faults) it parses after all, so that for all JSON the answer is
 * JSON.parse's. A fault inside another member's value goes unnoticed.
 */
export class JsonField {
  readonly #name: string;
  readonly #key: Uint8Array;

  constructor(name: string) {
    this.#name = name;
    this.#key = new TextEncoder().encode(name);
  }

  /**
   * The member's value as text: that of a string, number, boolean or null. Undefined where there is no such member, its value is
   * an object or a list, or the bytes are no JSON object at all.
   */
  find(json: Uint8Array): string | undefined {
    const end = json.length;
    let at = skipSpace(json, 0);
    if (json[at] !== OPEN_OBJECT) return undefined;
    let from = -1;
    let to = -1;
    at = skipSpace(json, at + 1);
    while (at < end && json[at] === QUOTE) {
      const keyAt = at + 1;
      let escaped = false;
      for (at = keyAt; at < end && json[at] !== QUOTE; at++) {
        if (json[at] === BACKSLASH) {
          escaped = true;
          at++;
        }
      }
      if (escaped) return this.#parse(json);
      const found = this.#isKey(json, keyAt, at);
      at = skipSpace(json, at + 1);
      if (json[at] !== COLON) return this.#parse(json);
      at = skipSpace(json, at + 1);
      const valueAt = at;
      at = skipValue(json, at);
      // The last of several members of this name counts.
      if (found) {
        from = valueAt;
        to = at;
      }
      at = skipSpace(json, at);
      if (json[at] !== COMMA) break;
      at = skipSpace(json, at + 1);
      if (json[at] !== QUOTE) return this.#parse(json);
    }
    if (json[at] !== CLOSE_OBJECT || skipSpace(json, at + 1) !== end) return this.#parse(json);
    return from < 0 ? undefined : scalar(json, from, to) ?? this.#parse(json);
  }

  #isKey(json: Uint8Array, from: number, to: number): boolean {
    const key = this.#key;
    if (to - from !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (json[from + i] !== key[i]) return false;
    return true;
  }

  #parse(json: Uint8Array): string | undefined {
    try {
      const value: unknown = JSON.parse(decoder.decode(json));
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, this.#name)) {
        return undefined;
      }
      const member = (value as Record<string, unknown>)[this.#name];
      return typeof member === "object" && member !== null ? undefined : String(member);
    } catch {
      return undefined;
    }
  }
}

function skipSpace(json: Uint8Array, at: number): number {
  while (json[at] === 32 || json[at] === 10 || json[at] === 13 || json[at] === 9) at++;
  return at;
}

/** Byte behind the value that begins at `at`. */
function skipValue(json: Uint8Array, at: number): number {
  const end = json.length;
  let depth = 0;
  do {
    switch (json[at]) {
      case QUOTE:
        for (at++; at < end && json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
        at++;
        break;
      case OPEN_OBJECT:
      case OPEN_LIST:
        depth++;
        at++;
        break;
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        if (depth === 0) return at;
        depth--;
        at++;
        break;
      case COMMA:
        if (depth === 0) return at;
        at++;
        break;
      default:
        at++;
    }
  } while (at < end && (depth > 0 || !endsValue(json[at]!)));
  return Math.min(at, end);
}

function endsValue(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_OBJECT || byte === 32 || byte === 10 || byte === 13 ||
    byte === 9;
}

/** Text of a value without escapes; undefined where only parsing tells. */
function scalar(json: Uint8Array, from: number, to: number): string | undefined {
  const first = json[from]!;
  if (first === QUOTE) {
    for (let i = from + 1; i < to - 1; i++) {
      if (json[i] === BACKSLASH || json[i] === QUOTE || json[i]! < 32) return undefined;
    }
    return json[to - 1] === QUOTE && to - from >= 2
      ? decoder.decode(json.subarray(from + 1, to - 1))
      : undefined;
  }
  if (first > 57) {
    const text = decoder.decode(json.subarray(from, to));
    return text === "true" || text === "false" || text === "null" ? text : undefined;
  }
  const digitsAt = first === MINUS ? from + 1 : from;
  const digits = to - digitsAt;
  if (digits < 1 || digits > PLAIN_DIGITS || (json[digitsAt] === 48 && to > from + 1)) {
    return undefined;
  }
  let number = 0;
  for (let i = digitsAt; i < to; i++) {
    const digit = json[i]! - 48;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return String(first === MINUS ? -number : number);
}
