import { BatchFlag, Status } from "../../ffi/layout.ts";
import { LINE_DONE } from "../../ffi/recorder_layout.ts";
import type { Instance } from "../component/component.ts";
import { RecordReader } from "../event/reader.ts";
import { FlowBatch, type Owner, Pool, release } from "./flow_batch.ts";
import { Ledger } from "./ledger.ts";
import { type Line, statusOf } from "./line.ts";
import { Backoff, type Consumer, dispatch, Node, type Surroundings } from "./node.ts";

/** The largest arena that is made for a single record, in bytes. */
export const LARGEST_ARENA = 256 * 1024 * 1024;

export interface BatchSettings {
  maxEvents: number;
  maxBytes: number;
  maxDelayMs: number;
  inFlight: number;
}

/** Why the numbers in a source's batch are not those that busbar_append() stamps, from `sequence` on, or "". */
function misnumbered(batch: FlowBatch, sequence: number): string {
  const reader = new RecordReader().open(batch);
  for (let next = sequence; reader.next(); next++) {
    if (reader.sequence === next && reader.source === batch.source) continue;
    return `it numbered event ${next} of source ${batch.source} as ${reader.sequence} of ${reader.source}`;
  }
  const next = sequence + batch.count;
  return batch.nextSequence === next
    ? ""
    : `it set next_sequence to ${batch.nextSequence}, but the next event is ${next}`;
}

export interface SourceOptions {
  number: number;
  /** Every event up to this one is finished. */
  sequence: number;
  /** Events up to this one may have been handed out before, by a process that crashed. */
  replayed: number;
  /** Where the source resumes. */
  position: Uint8Array;
  batch: BatchSettings;
  /** The first event to poll, where others are to be handed on before it. @default the one after `sequence` */
  next?: number;
}

/** Polls a source, closes its batches and keeps its ledger. */
export class SourceNode extends Node implements Owner {
  readonly consumers: Consumer[] = [];
  readonly producer = this;
  readonly ledger: Ledger;
  /** Where what follows this source is a straight line. */
  line: Line | null = null;
  /** Number of the source in its pipeline. */
  readonly number: number;
  ended = false;
  /** Its component was stopped. */
  stopped = false;
  /** Not polled until {@linkcode release}, while a checkpoint is being fixed. */
  held = false;
  /** What `commit` was last told. */
  committed: number;
  #pool: Pool;
  #open: FlowBatch | null = null;
  /** Records in the open batch after the last poll. */
  #seen = 0;
  #closeAt = 0;
  #delay: number;
  #nextSequence: number;
  #replayed: number;
  #backoff = new Backoff(1, 100);
  #failures = new Backoff(100, 30_000);
  /** Loans to give back as soon as no other call is being made. */
  #loans: bigint[] = [];
  /** Not to be polled now: waits, has no batch, or has ended. */
  #quiet = false;
  #starved = false;

  constructor(instance: Instance, around: Surroundings, options: SourceOptions) {
    super(instance, around);
    this.number = options.number;
    this.ledger = new Ledger(options.sequence, options.position);
    this.#nextSequence = options.next ?? options.sequence + 1;
    this.committed = options.sequence;
    this.#replayed = options.replayed;
    this.#delay = options.batch.maxDelayMs;
    this.#pool = new Pool(options.batch.inFlight, () => {
      const { maxBytes: bytes, maxEvents: limit } = options.batch;
      const batch = new FlowBatch(this, { bytes, limit, withPosition: true });
      batch.source = this.number;
      return batch;
    });
  }

  /** Whether what was polled is kept on disk, so that its position is committed without waiting for a checkpoint. */
  get buffered(): boolean {
    return false;
  }

  /** Whether there is nothing left to poll and to hand on. */
  get exhausted(): boolean {
    return this.ended;
  }

  /** Whether there is no time to wait for the next checkpoint, since room is short that it would make. */
  get pressing(): boolean {
    return false;
  }

  /** Where the source goes on when it starts. */
  get resumeAt(): Uint8Array<ArrayBuffer> {
    return this.ledger.position;
  }

  /** Polls once if there is any use in it; whether there was. */
  step(): boolean {
    if (this.#quiet || this.busy || this.claimed || this.held) return false;
    const batch = this.#open ?? this.#begin();
    if (batch === null) {
      this.#quiet = this.#starved = true;
      return false;
    }
    const straight = this.line !== null && this.ledger.idle && this.#nextSequence > this.#replayed;
    const status = straight && this.line!.prepare(batch)
      ? this.#runLine(this.line!, batch)
      : this.instance.poll(batch);
    if (status === LINE_DONE) return true;
    if (status === Status.OK) {
      if (batch.isPlainAndFull && !this.around.strict) {
        this.#backoff.reset();
        this.#failures.reset();
        this.#send(batch);
      } else this.#polled(batch, Status.OK);
    } else {
      this.settle(status, (status) => this.#polled(batch, status));
    }
    return true;
  }

  resume(): void {
    while (this.#loans.length > 0 && !this.busy && !this.claimed) {
      this.#giveBack(this.#loans.pop()!);
    }
    if (this.ended || this.busy || this.held) return;
    const now = this.around.now();
    // What was called off the event loop while it waits does not end the wait.
    if (this.dueAt !== Infinity && this.dueAt > now) return;
    this.dueAt = Infinity;
    this.#quiet = false;
    const batch = this.#open;
    if (batch !== null && batch.count > 0 && this.#closeAt <= now) this.#send(batch);
  }

  /** The source has something, or wants to be asked. */
  wake(): void {
    this.dueAt = 0;
    this.around.makeReady(this);
  }

  recycle(batch: FlowBatch): void {
    if (batch.lent) {
      if (this.busy || this.claimed) this.#loans.push(batch.loan);
      else this.#giveBack(batch.loan);
    }
    this.#pool.give(batch);
    if (!this.#starved) return;
    this.#starved = false;
    this.around.makeReady(this);
  }

  /** Ends being held. */
  release(): void {
    this.held = false;
    this.around.makeReady(this);
  }

  /** Polls no more, since the pipeline stops. */
  halt(): void {
    this.ended = this.#quiet = true;
  }

  /** Closes what was polled, as the last there is. */
  finish(): void {
    this.ended = this.#quiet = true;
    const batch = this.#open;
    if (batch === null) return;
    if (batch.count > 0) return this.#send(batch);
    this.#open = null;
    this.recycle(batch);
  }

  get idle(): boolean {
    return this.ledger.idle && !this.busy && this.#loans.length === 0 &&
      (this.#open === null || this.#open.count === 0);
  }

  get queued(): number {
    return this.#pool.used;
  }

  /** Gives back what the source lent and nobody uses any more, since the pipeline has ended. */
  async returnLoans(): Promise<void> {
    for (const batch of this.#pool.inUse()) {
      if (batch.lent) this.#loans.push(batch.loan);
    }
    for (const loan of this.#loans.splice(0)) await this.instance.release(loan);
  }

  free(): void {
    this.#pool.free();
    this.line?.free();
  }

  #giveBack(loan: bigint): void {
    this.settle(this.instance.release(loan), () => {});
  }

  /** Sends the batch down the line; what the source returned, or LINE_DONE when that was all. */
  #runLine(line: Line, batch: FlowBatch): number {
    const result = line.run();
    if (result === LINE_DONE) {
      const next = batch.nextSequence;
      this.ledger.advance(next - 1, batch.positionWords, batch.positionLength);
      this.#nextSequence = next;
      this.#seen = this.#closeAt = 0;
      return LINE_DONE;
    }
    if (line.noteMoved(this.ledger)) this.#seen = this.#closeAt = 0;
    return line.stoppedAt(result) === 0 ? statusOf(result) : Status.OK;
  }

  #begin(): FlowBatch | null {
    const batch = this.#pool.take();
    if (batch === null) return null;
    batch.nextSequence = this.#nextSequence;
    this.#seen = this.#closeAt = 0;
    return this.#open = batch;
  }

  #polled(batch: FlowBatch, status: number): void {
    if (batch.lent) batch.showLoan();
    if (!this.sound(batch, "poll")) return;
    if (this.around.strict) {
      const fault = misnumbered(batch, this.#nextSequence);
      if (fault !== "") return this.fail("MalformedBatch", "poll", fault);
    }
    const count = batch.count;
    if (count > this.#seen) {
      this.#backoff.reset();
      this.#failures.reset();
    }
    switch (status) {
      case Status.OK:
      case Status.AGAIN:
        if (batch.required > batch.capacity) return this.#grow(batch);
        if (count > 0 && this.#isFull(batch, status)) return this.#send(batch);
        this.#seen = count;
        if (status === Status.AGAIN || count === 0) this.#rest(this.#backoff.next());
        return;
      case Status.DONE:
        return this.finish();
      case Status.FAILED: {
        const wait = this.#failures.next();
        this.around.log("warning", "Source failed, it is polled again", {
          component: this.id,
          error: this.instance.error(),
          wait_ms: wait,
        });
        if (count > 0) this.#send(batch);
        return this.#rest(wait);
      }
      default:
        this.failStatus("poll", status);
    }
  }

  #isFull(batch: FlowBatch, status: number): boolean {
    const { count, length } = batch;
    // A source that says OK but appended nothing to a batch that holds something found no room for its next record.
    if (count >= batch.limit || batch.lent || this.#delay === 0) return true;
    if (status === Status.OK && count === this.#seen) return true;
    if (batch.capacity - length < 2 * (length / count)) return true;
    const now = this.around.now();
    if (this.#closeAt === 0) this.#closeAt = now + this.#delay;
    return now >= this.#closeAt;
  }

  #rest(wait: number): void {
    this.#quiet = true;
    const open = this.#open !== null && this.#open.count > 0;
    this.dueAt = this.around.now() + wait;
    if (open && this.#closeAt > 0) this.dueAt = Math.min(this.dueAt, this.#closeAt);
  }

  #send(batch: FlowBatch): void {
    const first = this.#nextSequence;
    this.#open = null;
    this.#nextSequence = batch.nextSequence;
    this.closed(batch, first);
  }

  /** Takes a batch that is complete, with events from sequence `first` on. */
  protected closed(batch: FlowBatch, first: number): void {
    this.handOn(batch, first);
  }

  /** Gives a batch to those that read this source. */
  protected handOn(batch: FlowBatch, first: number): void {
    this.line?.leave();
    if (first <= this.#replayed) batch.flags = BatchFlag.REPLAY;
    const { nextSequence, positionWords, positionLength } = batch;
    const entry = this.ledger.open(nextSequence - 1, positionWords, positionLength);
    entry.flags = batch.flags;
    entry.leftAt = this.around.now();
    batch.entry = entry;
    if (this.consumers.length > 0) return dispatch(batch, this.consumers);
    batch.references = 1;
    release(batch);
  }

  /** An empty batch; null when all are under way. */
  protected takeBatch(): FlowBatch | null {
    return this.#pool.take();
  }

  /** Whether a batch is being filled. */
  protected get filling(): boolean {
    return this.#open !== null;
  }

  /** Makes room for a record that does not fit into an empty arena; it is polled again at once. */
  #grow(batch: FlowBatch): void {
    if (batch.count > 0) return this.#send(batch);
    if (batch.required > LARGEST_ARENA || batch.lent) {
      const limit = batch.lent
        ? `it lent memory of ${batch.capacity}`
        : `the largest arena that is possible has ${LARGEST_ARENA}`;
      return this.fail(
        "MalformedBatch",
        "poll",
        `its next event needs ${batch.required} bytes, and ${limit}`,
      );
    }
    batch.resize(batch.required);
    batch.required = 0;
  }
}
