import { isAscii } from "node:buffer";
import { ContentType } from "../../ffi/layout.ts";
import type { Batch } from "../event/batch.ts";
import { RecordReader } from "../event/reader.ts";

/** Payloads that are parsed in one go, and their bytes. */
const MOST_TOGETHER = 128;
const MOST_BYTES = 128 * 1024;
/** Events that are parsed one by one when parsing several at once did not pay. */
const PAUSE = 1024;
/** Digits of the shortest whole number that a double may not hold. */
const LONG = 16;
/** A whole number that a double may not hold; also finds some in texts. */
const LONG_NUMBER = /[:,[\s]-?[1-9]\d{15,}(?![\d.eE])/;

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
/** Stands between two payloads: 15 digits that no payload can hold but by guessing. */
const SEPARATOR = Number(crypto.getRandomValues(new BigUint64Array(1))[0]! % 10n ** 14n) + 1e14;
const SEPARATOR_BYTES = encoder.encode(`,${SEPARATOR},`);

/** JSON as a value of CEL: whole numbers beyond 2^53 become `bigint`, so that no digit is lost. */
export function parseJson(text: string): unknown {
  return LONG_NUMBER.test(`,${text}`) ? JSON.parse(text, keepDigits as Reviver) : JSON.parse(text);
}

type Reviver = (this: unknown, key: string, value: unknown) => unknown;

function keepDigits(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) {
    return value;
  }
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** The text of bytes; what is not UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

/** The text of bytes. Throws when they are not UTF-8. */
function strictTextOf(bytes: Uint8Array): string {
  // The lenient decoder is four times as fast as the strict one with ASCII, and several times slower with all else.
  return (isAscii(bytes) ? lenient : strict).decode(bytes);
}

/** Whether as many digits as a long number has stand together. */
function hasLongDigits(bytes: Uint8Array): boolean {
  const { length } = bytes;
  // One of every so many digits is looked at here.
  for (let at = LONG - 1; at < length; at += LONG) {
    if (!isDigit(bytes[at]!)) continue;
    let from = at;
    while (from > 0 && isDigit(bytes[from - 1]!)) from--;
    let to = at + 1;
    while (to < length && isDigit(bytes[to]!)) to++;
    if (to - from >= LONG) return true;
  }
  return false;
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/**
 * The value of a payload: JSON's, for any that says to be JSON or is an object or list in JSON, null for an empty one of these,
 * else its text. Throws when it says to be JSON and is not.
 */
export function payloadValue(contentType: number, payload: Uint8Array): unknown {
  return mayBeJson(contentType, payload) ? parseOne(contentType, payload) : textOf(payload);
}

/** The values of a batch's payloads. It parses ahead: many at once take half the time. */
export class Payloads {
  readonly #ahead = new RecordReader();
  #batch!: Batch;
  /** Those that the batch brings with it. */
  #known: readonly unknown[] = [];
  #scratch = new Uint8Array(0);
  /** Values and separators, of the records from `#first` to before `#end`. */
  #values: unknown[] = [];
  #first = 0;
  #end = 0;
  #used = 0;
  #single = 0;

  /** @param cursor where records are counted from */
  open(batch: Batch, cursor: number): void {
    this.#batch = batch;
    this.#known = cursor === 0 ? batch.values : [];
    this.#forget();
  }

  /** The {@linkcode payloadValue} of the record that `reader` stands on. */
  valueOf(reader: RecordReader): unknown {
    const { index } = reader;
    if (index < this.#known.length && this.#known[index] !== undefined) return this.#known[index];
    if (index < this.#end && index >= this.#first) {
      this.#used++;
      return this.#values[(index - this.#first) * 2];
    }
    const { payload } = reader;
    if (!mayBeJson(reader.contentType, payload)) return textOf(payload);
    if (this.#single > 0) this.#single--;
    else if (this.#parseAhead(reader)) {
      this.#used++;
      return this.#values[0];
    }
    return parseOne(reader.contentType, payload);
  }

  /** Parses from the record of `reader` on; false when it has to be parsed alone. */
  #parseAhead(reader: RecordReader): boolean {
    this.#forget();
    if (this.#single > 0) return false;
    const ahead = this.#ahead.open(this.#batch, reader.offset);
    let count = 0;
    let length = 1;
    while (count < MOST_TOGETHER && ahead.next()) {
      const { payload } = ahead;
      const end = length + payload.length + SEPARATOR_BYTES.length;
      if (end > MOST_BYTES || payload.length === 0) break;
      if (!mayBeJson(ahead.contentType, payload)) break;
      const scratch = this.#scratch.length > 0 ? this.#scratch : this.#makeScratch();
      scratch.set(payload, length);
      scratch.set(SEPARATOR_BYTES, end - SEPARATOR_BYTES.length);
      length = end;
      count++;
    }
    if (count < 2) return false;
    this.#scratch[length - SEPARATOR_BYTES.length] = 93;
    const values = parseList(this.#scratch.subarray(0, length - SEPARATOR_BYTES.length + 1));
    if (values === undefined || !isSeparated(values, count)) {
      this.#single = PAUSE;
      return false;
    }
    this.#values = values;
    this.#first = reader.index;
    this.#end = reader.index + count;
    return true;
  }

  #makeScratch(): Uint8Array {
    this.#scratch = new Uint8Array(MOST_BYTES);
    this.#scratch[0] = 91;
    return this.#scratch;
  }

  /** Parsing ahead does not pay where most payloads are never asked for. */
  #forget(): void {
    const parsed = this.#end - this.#first;
    if (this.#used * 2 < parsed) this.#single = PAUSE;
    this.#values = [];
    this.#first = this.#end = this.#used = 0;
  }
}

/** Undefined for what is no JSON, or has numbers that need a closer look. */
function parseList(bytes: Uint8Array): unknown[] | undefined {
  try {
    const text = strictTextOf(bytes);
    return hasLongDigits(bytes) && LONG_NUMBER.test(text) ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Whether what stands between the separators is one value each. Then each payload is that value on its own too: none can
 * have begun or ended in another.
 */
function isSeparated(values: unknown[], count: number): boolean {
  if (values.length !== count * 2 - 1) return false;
  for (let i = 1; i < values.length; i += 2) if (values[i] !== SEPARATOR) return false;
  return true;
}

function mayBeJson(contentType: number, payload: Uint8Array): boolean {
  if (contentType === ContentType.JSON) return true;
  if (contentType !== ContentType.BYTES && contentType !== ContentType.TEXT) return false;
  let at = 0;
  while (payload[at] === 32 || payload[at] === 10 || payload[at] === 13 || payload[at] === 9) at++;
  return payload[at] === 123 || payload[at] === 91;
}

function parseOne(contentType: number, payload: Uint8Array): unknown {
  if (payload.length === 0) return null;
  try {
    const text = strictTextOf(payload);
    return hasLongDigits(payload) ? parseJson(text) : JSON.parse(text);
  } catch (error) {
    if (contentType !== ContentType.JSON) return textOf(payload);
    throw new Error(`Payload is not JSON: ${(error as Error).message}`);
  }
}
