import { ContentType, Status } from "../../../ffi/layout.ts";
import { SettingError } from "../../config/setting_error.ts";
import { parseRate, parseSize } from "../../config/units.ts";
import type { Batch } from "../../event/batch.ts";
import { append, type EventInit } from "../../event/writer.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";

const LARGEST_PAYLOAD = 64 * 1024 * 1024;
/** Bytes of text that payloads are cut from, besides the longest payload. */
const TEXT = 64 * 1024;
const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -";
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const encoder = new TextEncoder();

interface Settings {
  rate?: string | number;
  count?: number;
  payload_size: string | number;
  seed: number;
  json: boolean;
  payload?: string;
}

/** Makes events numbered from 1. The number is the key, the position, and all that a payload depends on besides the settings. */
export function generate(context: BuiltinContext): BuiltinComponent {
  const settings = context.config as unknown as Settings;
  const { rate, size } = limitsOf(settings);
  return new Generator(context, rate, payloadMaker(settings, size));
}

generate.check = (config: Record<string, unknown>) => limitsOf(config as unknown as Settings);

/** Events a second, and bytes of a payload. */
function limitsOf({ rate: text, payload_size }: Settings): { rate: number; size: number } {
  const rate = text === undefined ? Infinity : parseRate(text);
  if (rate <= 0) {
    throw new SettingError(["rate"], `Cannot generate events at rate "${text}": it is 0`);
  }
  const size = parseSize(payload_size);
  if (size <= LARGEST_PAYLOAD) return { rate, size };
  throw new SettingError(
    ["payload_size"],
    `Cannot generate payloads of ${size} bytes: payload_size is at most ${LARGEST_PAYLOAD}`,
  );
}

class Generator implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #rate: number;
  readonly #count: number;
  readonly #payloadOf: (number: number) => Uint8Array;
  readonly #event: EventInit;
  readonly #key = new Uint8Array(16);
  readonly #position = new Uint8Array(8);
  readonly #positionView = new DataView(this.#position.buffer);
  #next = 1;
  /** How many events a source at this rate would have made since `start`. */
  #given = 0;
  #startedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    context: BuiltinContext,
    rate: number,
    payloadOf: (number: number) => Uint8Array,
  ) {
    this.#context = context;
    this.#rate = rate;
    this.#count = (context.config["count"] as number | undefined) ?? Infinity;
    this.#payloadOf = payloadOf;
    const contentType = context.config["json"] ? ContentType.JSON : ContentType.TEXT;
    this.#event = { payload: this.#position, contentType };
  }

  start(): void {
    const { position, partitionIndex } = this.#context;
    this.#next = 1 + partitionIndex;
    if (position.length > 0) {
      if (position.length !== this.#position.length) {
        throw new Error(
          `Cannot resume at a position of ${position.length} bytes: one of generate has ${this.#position.length}`,
        );
      }
      const last = Number(new DataView(position.buffer, position.byteOffset).getBigUint64(0, true));
      this.#next = last + this.#context.partitionCount;
    }
    this.#given = 0;
    this.#startedAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  poll(batch: Batch): number {
    const now = performance.now();
    let due = this.#due(now);
    let last = 0;
    const event = this.#event;
    // One time for all: they are made together.
    event.timestamp = BigInt(Date.now()) * 1_000_000n;
    while (due > 0 && this.#next <= this.#count) {
      event.key = this.#key.subarray(decimal(this.#next, this.#key));
      event.payload = this.#payloadOf(this.#next);
      if (!append(batch, event)) break;
      last = this.#next;
      this.#next += this.#context.partitionCount;
      this.#given++;
      due--;
    }
    if (last > 0) {
      this.#positionView.setBigUint64(0, BigInt(last), true);
      batch.setPosition(this.#position);
    }
    if (this.#next > this.#count) return Status.DONE;
    if (due > 0) return Status.OK;
    this.#wakeAtNext(now);
    return Status.AGAIN;
  }

  /** How many events may be made now. What a pipeline did not take for longer than a second is not made up for. */
  #due(now: number): number {
    if (this.#rate === Infinity) return Infinity;
    const due = Math.floor((now - this.#startedAt) / 1000 * this.#rate) + 1 - this.#given;
    const most = Math.max(1, Math.ceil(this.#rate));
    if (due <= most) return due;
    this.#startedAt = now;
    this.#given = 1 - most;
    return most;
  }

  #wakeAtNext(now: number): void {
    if (this.#timer !== undefined) return;
    const wait = this.#startedAt + this.#given / this.#rate * 1000 - now;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#context.wake();
    }, Math.min(Math.max(Math.ceil(wait), 1), LONGEST_TIMER_MS));
  }
}

/** Writes `number` in decimal to the end of `to` and returns where it begins. */
function decimal(number: number, to: Uint8Array): number {
  let at = to.length;
  do {
    to[--at] = 48 + number % 10;
    number = Math.floor(number / 10);
  } while (number > 0);
  return at;
}

/** The payload of the event with a number; valid until the next is asked for. */
function payloadMaker(settings: Settings, size: number): (number: number) => Uint8Array {
  if (settings.payload !== undefined) {
    const fixed = encoder.encode(settings.payload);
    return () => fixed;
  }
  const text = randomText(TEXT + size, settings.seed);
  const textAt = (number: number) => mixed(number, settings.seed) % TEXT;
  if (!settings.json) {
    return (number) => {
      const at = textAt(number);
      return text.subarray(at, at + size);
    };
  }
  const object = new Uint8Array(Math.max(size, 64));
  return (number) => {
    const value = mixed(number, ~settings.seed) % 1000;
    let end = encoder.encodeInto(`{"sequence":${number},"value":${value}`, object).written;
    const room = size - end - ',"text":""}'.length;
    if (room >= 0) {
      end += encoder.encodeInto(',"text":"', object.subarray(end)).written;
      const at = textAt(number);
      object.set(text.subarray(at, at + room), end);
      end += room;
      object[end++] = 34;
    }
    // Where there is no room for a text, blanks make up the length.
    while (end < size - 1) object[end++] = 32;
    object[end++] = 125;
    return object.subarray(0, end);
  };
}

function randomText(length: number, seed: number): Uint8Array {
  const text = new Uint8Array(length);
  let state = mixed(1, seed) || 1;
  for (let i = 0; i < length; i++) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    text[i] = ALPHABET.charCodeAt((state >>> 8) % ALPHABET.length);
  }
  return text;
}

/** A number of 32 bits that looks random; all bits of `number` up to 2^53 count. */
function mixed(number: number, seed: number): number {
  let hash = Math.imul(number ^ seed ^ Math.floor(number / 2 ** 32), 0x9e3779b1) + seed | 0;
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
