/** One event as clients get it, and its number. */
export interface SentEvent {
  number: number;
  bytes: Uint8Array;
}

/** The last events, up to a number and an amount. */
export class SseHistory {
  readonly #most: number;
  readonly #mostBytes: number;
  /** Oldest first from `#first` on; what is before it is gone. */
  #events: SentEvent[] = [];
  #first = 0;
  #bytes = 0;

  constructor(options: { events: number; bytes: number }) {
    this.#most = options.events;
    this.#mostBytes = options.bytes;
  }

  /** Whether it keeps anything. */
  get keeps(): boolean {
    return this.#most > 0 && this.#mostBytes > 0;
  }

  add(event: SentEvent): void {
    if (!this.keeps) return;
    this.#events.push(event);
    this.#bytes += event.bytes.length;
    while (this.#length > this.#most || this.#bytes > this.#mostBytes) {
      this.#bytes -= this.#events[this.#first++]!.bytes.length;
    }
    // Moved together at times, not for each event.
    if (this.#first > this.#length + 1000) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The last `count` events, oldest first. */
  last(count: number): SentEvent[] {
    return this.#events.slice(Math.max(this.#first, this.#events.length - count));
  }

  /** Those after a number, oldest first. */
  after(number: number): SentEvent[] {
    const kept = this.#events.slice(this.#first);
    const at = kept.findIndex((event) => event.number > number);
    return at < 0 ? [] : kept.slice(at);
  }

  clear(): void {
    this.#events = [];
    this.#first = this.#bytes = 0;
  }

  get #length(): number {
    return this.#events.length - this.#first;
  }
}
