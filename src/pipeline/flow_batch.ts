import { Batch, type BatchOptions } from "../event/batch.ts";
import { close, type Entry } from "./ledger.ts";
import type { Node } from "./node.ts";

/** Who gets a batch back when its last consumer has let go of it. */
export interface Owner {
  /** Who writes the batches; none for windows. */
  readonly producer?: Node;
  recycle(batch: FlowBatch): void;
}

/** A batch on its way through a pipeline. */
export class FlowBatch extends Batch {
  /** What is finished when this is. */
  entry: Entry | null = null;
  /** Whether several consumers read it, so that each needs a window of its own. */
  shared = false;
  /** Writes that failed on its first record. */
  attempts = 0;
  /** What this is a window on. */
  base: FlowBatch | null = null;
  readonly owner: Owner;

  constructor(owner: Owner, options: BatchOptions) {
    super(options);
    this.owner = owner;
  }

  override get leftAt(): number {
    return this.base === null ? this.entry?.leftAt ?? 0 : this.base.leftAt;
  }
}

/** Lets go of a batch for one consumer. */
export function release(batch: FlowBatch): void {
  const base = batch.base;
  if (base !== null) {
    batch.base = null;
    batch.owner.recycle(batch);
    release(base);
    return;
  }
  if (--batch.references > 0) return;
  const entry = batch.entry;
  batch.entry = null;
  batch.owner.recycle(batch);
  if (entry !== null) close(entry);
}

/** Windows on batches, used again and again. */
export class Windows implements Owner {
  #free: FlowBatch[] = [];
  #made: FlowBatch[] = [];

  /** A window on the records of `batch` from byte `offset` on; it takes over the hold that its maker had on `batch`. */
  on(batch: FlowBatch, offset: number, count: number): FlowBatch {
    let window = this.#free.pop();
    if (window === undefined) {
      window = new FlowBatch(this, { bytes: 0, limit: 0 });
      this.#made.push(window);
    }
    window.showPartOf(batch, { offset, end: batch.length, count });
    window.base = batch;
    window.attempts = 0;
    return window;
  }

  /** The last `count` records of `batch`, which begin at byte `offset`; stands in for `batch` from now on. */
  rest(batch: FlowBatch, offset: number, count: number): FlowBatch {
    if (batch.owner !== this) return this.on(batch, offset, count);
    batch.skip(offset, count);
    batch.attempts = 0;
    return batch;
  }

  /** Splits a batch behind its first `count` records, which end at byte `end`; both parts together stand in for it. */
  split(batch: FlowBatch, end: number, count: number): [head: FlowBatch, rest: FlowBatch] {
    const root = batch.base ?? batch;
    const from = batch.offsetInBase;
    root.references++;
    const head = this.on(root, from, count);
    head.showPartOf(root, { offset: from, end: from + end, count });
    head.flags = batch.flags;
    return [head, this.rest(batch, end, batch.count - count)];
  }

  recycle(window: FlowBatch): void {
    this.#free.push(window);
  }

  free(): void {
    for (const window of this.#made) window.free();
  }
}

/** Up to `size` batches of one producer, made when first needed and used last in, first out, while they are in the caches. */
export class Pool {
  #free: FlowBatch[] = [];
  #made: FlowBatch[] = [];
  #size: number;
  #make: () => FlowBatch;

  constructor(size: number, make: () => FlowBatch) {
    this.#size = size;
    this.#make = make;
  }

  /** An empty batch; null when all are under way. */
  take(): FlowBatch | null {
    const batch = this.#free.pop();
    if (batch !== undefined) {
      batch.reset();
      batch.attempts = 0;
      return batch;
    }
    if (this.#made.length >= this.#size) return null;
    const made = this.#make();
    this.#made.push(made);
    return made;
  }

  give(batch: FlowBatch): void {
    this.#free.push(batch);
  }

  /** How many are under way. */
  get used(): number {
    return this.#made.length - this.#free.length;
  }

  inUse(): FlowBatch[] {
    return this.#made.filter((batch) => !this.#free.includes(batch));
  }

  free(): void {
    for (const batch of this.#made) batch.free();
  }
}
