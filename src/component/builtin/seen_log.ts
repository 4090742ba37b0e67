import { AgedMap } from "../../aged_map.ts";

const encoder = new TextEncoder();
/** Bytes that an entry takes beside its name: the length before it and the time behind it; see saved_entries.ts. */
const FRAME = 12;
const SMALLEST = 1024;

/**
 * Names with the time at which they were first seen, forgotten after a while, or when they are too many. The bytes of a saved
 * state are kept up to date with them, so that saving is one copy.
 */
export class SeenLog {
  /** Names that were forgotten before their time. */
  evicted = 0;
  readonly #ms: number;
  readonly #most: number;
  /** In the order in which they came, with their time. */
  readonly #names = new AgedMap<number>();
  #log = new Uint8Array(SMALLEST);
  #view = new DataView(this.#log.buffer);
  #head = 0;
  #tail = 0;
  #now = 0;
  /** How far its time is ahead of a clock that was set back. */
  #ahead = 0;

  /** @param limits how long a name is remembered, and how many are at most */
  constructor(limits: { ms: number; entries: number }) {
    this.#ms = limits.ms;
    this.#most = limits.entries;
  }

  get size(): number {
    return this.#names.size;
  }

  /** Says what time it is, in milliseconds since 1970. Where the clock was set back, time goes on from where it was. */
  advance(now: number): void {
    this.#ahead = Math.max(this.#ahead, this.#now - now);
    this.#now = now + this.#ahead;
    const names = this.#names;
    for (let name = names.oldest; name !== undefined; name = names.oldest) {
      if (names.get(name)! + this.#ms > this.#now) break;
      this.#forget(name);
    }
  }

  /** Whether `name` is new; then it is remembered. */
  add(name: string): boolean {
    const names = this.#names;
    if (names.has(name)) return false;
    if (names.size >= this.#most) {
      this.#forget(names.oldest!);
      this.evicted++;
    }
    names.set(name, this.#now);
    this.#reserve(name.length * 3 + FRAME);
    const { written } = encoder.encodeInto(name, this.#log.subarray(this.#tail + 4));
    this.#view.setUint32(this.#tail, written, true);
    this.#view.setFloat64(this.#tail + 4 + written, this.#now, true);
    this.#tail += FRAME + written;
    return true;
  }

  /** All of it, as saved_entries.ts reads it. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#log.slice(this.#head, this.#tail);
  }

  /** Forgets the oldest. */
  #forget(name: string): void {
    this.#names.delete(name);
    this.#head += FRAME + this.#view.getUint32(this.#head, true);
  }

  /** Makes room for `size` bytes; what was forgotten goes. */
  #reserve(size: number): void {
    if (this.#tail + size <= this.#log.length) return;
    const used = this.#tail - this.#head;
    const length = Math.max(SMALLEST, 2 ** Math.ceil(Math.log2((used + size) * 1.5)));
    const log = new Uint8Array(length);
    log.set(this.#log.subarray(this.#head, this.#tail));
    this.#log = log;
    this.#view = new DataView(log.buffer);
    this.#head = 0;
    this.#tail = used;
  }
}
