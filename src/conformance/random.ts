/** Numbers that look random and are the same again for the same seed, on every machine. */
export class Random {
  #state: number;

  /** `seed` is cut to 32 bits. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** One for a purpose of its own, so that what is drawn for one purpose does not change another. */
  static for(seed: number, purpose: string): Random {
    let hash = 0x811c9dc5 ^ seed;
    for (const byte of new TextEncoder().encode(purpose)) {
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return new Random(hash);
  }

  /** A whole number of 32 bits (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return (value ^ (value >>> 14)) >>> 0;
  }

  /** From 0 to below `limit`, which is at most 2^32. */
  below(limit: number): number {
    return Math.floor(this.next() / 2 ** 32 * limit);
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of `values`, of which there is at least one. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** Text of `length` characters: letters mostly, some that are awkward. */
  text(length: number): string {
    return Array.from(
      { length },
      () => this.oneIn(8) ? this.pick(AWKWARD) : this.pick(LETTERS),
    ).join("");
  }
}

const LETTERS = Array.from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789    ");
const AWKWARD = Array.from("äß€漢😀\"\\'/\t\n\r\0\u007f\u2028{}[]<>&%$");
