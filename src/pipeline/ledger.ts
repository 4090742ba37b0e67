/** One batch of a source that is under way, with everything that was derived from it. */
export class Entry {
  /** Batches that are not finished yet. */
  open = 0;
  /** What all batches that stem from it are flagged with. */
  flags = 0;
  /** When it left its source, in the pipeline's milliseconds; 0: it has none. */
  leftAt = 0;
  /** Of the last event. */
  sequence = 0;
  positionLength = 0;
  position: Int32Array = new Int32Array(SHORT);
  readonly ledger: Ledger | null;

  constructor(ledger: Ledger | null) {
    this.ledger = ledger;
  }
}

/** Words of a position that are kept without another allocation. */
const SHORT = 16;

/** Copies whole words: several times faster than bytes or subarray() and set() for the few that most positions have. */
function copyPosition(from: Int32Array, length: number, to: Entry): void {
  const words = (length + 3) >> 2;
  if (to.position.length < words) to.position = new Int32Array(words);
  const target = to.position;
  for (let i = 0; i < words; i++) target[i] = from[i]!;
  to.positionLength = length;
}

/**
 * The batches of one source in the order they were polled. However they finish, {@linkcode Ledger.sequence} only moves
 * over a gapless run from the first: every event up to it was accepted everywhere.
 */
export class Ledger {
  /** A ring; the last one accepted stays before the first one open. */
  #entries: Entry[];
  #accepted = 0;
  #first = 1;
  #end = 1;
  #acknowledged: number;

  /** `sequence` and `position` are where the source resumes. */
  constructor(sequence: number, position: Uint8Array) {
    this.#entries = Array.from({ length: 8 }, () => new Entry(this));
    this.#acknowledged = sequence;
    const entry = this.#entries[0]!;
    entry.sequence = sequence;
    const words = new Int32Array((position.length + 3) >> 2);
    new Uint8Array(words.buffer).set(position);
    copyPosition(words, position.length, entry);
  }

  /** Of the newest event that was accepted everywhere together with all before it; 0: none. */
  get sequence(): number {
    return this.#entries[this.#accepted]!.sequence;
  }

  /** Where to resume after {@linkcode Ledger.sequence}. A copy. */
  get position(): Uint8Array<ArrayBuffer> {
    const { position, positionLength } = this.#entries[this.#accepted]!;
    return new Uint8Array(position.slice().buffer, 0, positionLength);
  }

  /** Of the newest batch that was begun. A copy. */
  get newest(): { sequence: number; position: Uint8Array<ArrayBuffer> } {
    const last = this.#end === 0 ? this.#entries.length - 1 : this.#end - 1;
    const { sequence, position, positionLength } = this.#entries[last]!;
    return { sequence, position: new Uint8Array(position.slice().buffer, 0, positionLength) };
  }

  /** What {@linkcode Ledger.acknowledge} was last told. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.#first === this.#end;
  }

  /**
   * Begins a batch whose last event has this sequence, itself open once; it is finished when {@linkcode close} was called as
   * often as it was opened. `position` is read in whole words; without one it resumes where the batch before it does.
   */
  open(sequence: number, position: Int32Array, positionLength: number): Entry {
    if (this.#after(this.#end) === this.#accepted) this.#grow();
    const entries = this.#entries;
    const at = this.#end;
    const entry = entries[at]!;
    this.#end = this.#after(at);
    entry.open = 1;
    entry.flags = 0;
    entry.sequence = sequence;
    if (positionLength > 0) copyPosition(position, positionLength, entry);
    else {
      const before = entries[at === 0 ? entries.length - 1 : at - 1]!;
      copyPosition(before.position, before.positionLength, entry);
    }
    return entry;
  }

  /** Notes a batch that was begun and finished at once. Only while the ledger is idle. */
  advance(sequence: number, position: Int32Array, positionLength: number): void {
    const entry = this.#entries[this.#accepted]!;
    entry.sequence = sequence;
    if (positionLength > 0) copyPosition(position, positionLength, entry);
  }

  /** Notes that everything up to `sequence` is durable. */
  acknowledge(sequence: number): void {
    this.#acknowledged = sequence;
  }

  /** Moves over what is finished at the front. */
  settle(): void {
    const entries = this.#entries;
    while (this.#first !== this.#end && entries[this.#first]!.open === 0) {
      this.#accepted = this.#first;
      this.#first = this.#after(this.#first);
    }
  }

  #after(at: number): number {
    return at + 1 === this.#entries.length ? 0 : at + 1;
  }

  /** A source's batch may be polled again while what was derived from it is still under way, so there is no fixed bound. */
  #grow(): void {
    const { length } = this.#entries;
    const inOrder = this.#entries.map((_, i) => this.#entries[(this.#accepted + i) % length]!);
    this.#first = (this.#first - this.#accepted + length) % length;
    this.#end = (this.#end - this.#accepted + length) % length;
    this.#accepted = 0;
    this.#entries = [...inOrder, ...inOrder.map(() => new Entry(this))];
  }
}

/** An entry for batches that stem from no source, such as those of a tick. */
export function detachedEntry(): Entry {
  return new Entry(null);
}

/** Ends one of the batches of `entry`. */
export function close(entry: Entry): void {
  if (--entry.open === 0 && entry.ledger !== null) entry.ledger.settle();
}
