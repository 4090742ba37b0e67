/** One batch of a source that is under way, with everything that was derived from it. */
export interface Entry {
  ledger: Ledger | null;
  /** Batches that are not finished yet. */
  open: number;
  /** Of the last event. */
  sequence: number;
  positionLength: number;
  position: Uint8Array;
  next: Entry | null;
}

const SHORT = 64;

function copyPosition(from: Uint8Array, length: number, to: Entry): void {
  if (to.position.length < length) to.position = new Uint8Array(Math.max(length, SHORT));
  // A loop is several times faster than subarray() and set() for the few bytes that most positions have.
  if (length <= SHORT) { for (let i = 0; i < length; i++) to.position[i] = from[i]!; }
  else to.position.set(from.subarray(0, length));
  to.positionLength = length;
}

function emptyEntry(): Entry {
  return {
    ledger: null,
    open: 0,
    sequence: 0,
    positionLength: 0,
    position: new Uint8Array(SHORT),
    next: null,
  };
}

/**
 * The batches of one source in the order they were polled. However they finish, {@linkcode Ledger.sequence} only moves
 * over a gapless run from the first: every event up to it was accepted everywhere.
 */
export class Ledger {
  /** Of the newest event that was accepted everywhere together with all before it; 0: none. */
  sequence: number;
  #accepted = emptyEntry();
  #first: Entry | null = null;
  #last: Entry | null = null;
  #free: Entry | null = null;
  #acknowledged: number;

  /** `sequence` and `position` are where the source resumes. */
  constructor(sequence: number, position: Uint8Array) {
    this.sequence = sequence;
    this.#acknowledged = sequence;
    copyPosition(position, position.length, this.#accepted);
  }

  /** Where to resume after {@linkcode Ledger.sequence}. A view, valid until the next batch is finished. */
  get position(): Uint8Array {
    return this.#accepted.position.subarray(0, this.#accepted.positionLength);
  }

  /** What {@linkcode Ledger.acknowledge} was last told. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.#first === null;
  }

  /** Begins a batch whose last event has this sequence; it is finished when {@linkcode close} was called for each `open`. */
  open(sequence: number, position: Uint8Array, positionLength: number): Entry {
    const entry = this.#free ?? emptyEntry();
    this.#free = entry.next;
    entry.next = null;
    entry.ledger = this;
    entry.open = 0;
    entry.sequence = sequence;
    // A batch without a position of its own resumes where the one before it does.
    const before = this.#last ?? this.#accepted;
    if (positionLength > 0) copyPosition(position, positionLength, entry);
    else copyPosition(before.position, before.positionLength, entry);
    if (this.#last === null) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    return entry;
  }

  /** Notes that everything up to `sequence` is durable. */
  acknowledge(sequence: number): void {
    this.#acknowledged = sequence;
  }

  /** Moves over what is finished at the front. */
  settle(): void {
    let entry = this.#first;
    while (entry !== null && entry.open === 0) {
      this.sequence = entry.sequence;
      const next: Entry | null = entry.next;
      const before = this.#accepted;
      this.#accepted = entry;
      before.next = this.#free;
      this.#free = before;
      entry = next;
    }
    this.#first = entry;
    if (entry === null) this.#last = null;
  }
}

/** An entry for batches that stem from no source, such as those of a tick. */
export function detachedEntry(): Entry {
  return emptyEntry();
}

/** Ends one of the batches of `entry`. */
export function close(entry: Entry): void {
  if (--entry.open === 0 && entry.ledger !== null) entry.ledger.settle();
}
