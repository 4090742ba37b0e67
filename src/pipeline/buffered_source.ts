import type { BufferReading } from "../../ffi/flight_recorder.ts";
import { RecordLayout, Status } from "../../ffi/layout.ts";
import type { Instance } from "../component/component.ts";
import type { BufferSettings } from "../config/resolved.ts";
import { malformation, RecordReader } from "../event/reader.ts";
import { StoreError } from "../store/errors.ts";
import type { BufferRow, PipelineStore } from "../store/pipeline_store.ts";
import { DiskBuffer } from "./disk_buffer.ts";
import type { FlowBatch } from "./flow_batch.ts";
import { Backoff, type Surroundings } from "./node.ts";
import { SourceNode, type SourceOptions } from "./source_node.ts";

/** Milliseconds that a closed batch waits at most for others to be written with. */
const GROUP_MS = 5;
/** Milliseconds that closed batches wait at most for a checkpoint to make room. */
const PATIENCE_MS = 1000;
/** Milliseconds between two warnings that events are given up. */
const WARN_MS = 10_000;

export interface BufferedSourceOptions extends SourceOptions {
  store: PipelineStore;
  settings: BufferSettings;
  /** Takes what is to be seen of the buffer. */
  report(reading: BufferReading): void;
}

/** A closed batch whose row is not written yet. */
interface Waiting {
  batch: FlowBatch;
  row: BufferRow;
}

/** Of one kind to the store: what failed is tried again after a wait. */
interface Access {
  readonly wait: Backoff;
  blockedUntil: number;
}

/**
 * A source with a buffer on disk. Polling and handing on go at paces of their own: what was polled is written to the
 * pipeline's store, a row a batch, and committed to the source; what was written is handed on in order, from memory while that
 * keeps up, else read back. Rows are deleted by the checkpoint that covers them, so what a crash takes is fed again.
 */
export class BufferedSource extends SourceNode {
  readonly #buffer: DiskBuffer;
  readonly #inFlight: number;
  readonly #arena: number;
  readonly #reader = new RecordReader();
  /** Oldest first. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #waitingSince = 0;
  /** Handed on, and not finished. */
  #underWay = new Set<FlowBatch>();
  /** Where the newest row ends, until the source was told. */
  #uncommitted: Uint8Array | null = null;
  /** What the ledger had acknowledged when the buffer was looked at last. */
  #acknowledged: number;
  #halted = false;
  // Apart from each other: where nothing can be written, what is there can still be handed on, and makes room.
  #writes: Access = { wait: new Backoff(100, 10_000), blockedUntil: 0 };
  #reads: Access = { wait: new Backoff(100, 10_000), blockedUntil: 0 };

  /** Feeds what the store still has of the source first. Throws `StoreError` when that cannot be read. */
  static open(
    instance: Instance,
    around: Surroundings,
    options: BufferedSourceOptions,
  ): BufferedSource {
    const { store, settings, sequence, report } = options;
    let warnedAt = -Infinity;
    const buffer = new DiskBuffer({
      store,
      source: instance.id,
      settings,
      sequence,
      report,
      lost(what, events) {
        const facts = { component: instance.id, events };
        if (what === "corrupt") {
          return around.log("error", "Buffered events are damaged on disk and skipped", facts);
        }
        around.count(instance.index, "dropped", events);
        if (around.now() - warnedAt < WARN_MS) return;
        warnedAt = around.now();
        around.log("warning", "Buffer is full, events are given up", {
          ...facts,
          when_full: settings.whenFull,
          max_bytes: settings.maxBytes,
        });
      },
    });
    return new BufferedSource(instance, around, { ...options, buffer });
  }

  private constructor(
    instance: Instance,
    around: Surroundings,
    options: SourceOptions & { buffer: DiskBuffer },
  ) {
    const { buffer, batch } = options;
    // So many to hand on, as many to write, and one to fill: neither side takes the other's.
    const inFlight = 2 * batch.inFlight + 1;
    super(instance, around, {
      ...options,
      next: buffer.last + 1,
      // What is in rows may have been handed on by a process before.
      replayed: Math.max(options.replayed, buffer.last),
      batch: { ...batch, inFlight },
    });
    this.#buffer = buffer;
    this.#inFlight = batch.inFlight;
    this.#arena = batch.maxBytes;
    this.#acknowledged = options.sequence;
    // A row is what it waits for, not a checkpoint.
    this.committed = Infinity;
  }

  override get buffered(): boolean {
    return true;
  }

  override get exhausted(): boolean {
    return this.ended && this.#waiting.length === 0 && this.#buffer.drained;
  }

  override get pressing(): boolean {
    const { sequence, acknowledged } = this.ledger;
    return this.#isPatient ||
      (sequence > acknowledged && this.#buffer.isTight(sequence - acknowledged));
  }

  override get resumeAt(): Uint8Array<ArrayBuffer> {
    return this.#buffer.position ?? super.resumeAt;
  }

  override get idle(): boolean {
    return super.idle && this.#waiting.length === 0;
  }

  override step(): boolean {
    this.#lookAfter();
    const polled = this.#mayPoll && super.step();
    const kept = (!polled || this.#isDue) && this.#keep();
    const fed = this.#feed();
    this.#commit();
    return polled || kept || fed;
  }

  override recycle(batch: FlowBatch): void {
    this.#underWay.delete(batch);
    super.recycle(batch);
    if (!this.#buffer.drained) this.around.interrupt();
  }

  /** Polls and feeds no more; what was polled is kept for the next start. */
  override halt(): void {
    super.halt();
    this.#halted = true;
    // After a poll that is still going on, finish() does the rest.
    if (this.busy) return;
    this.finish();
    this.#commit();
  }

  override finish(): void {
    super.finish();
    this.#keep();
  }

  override free(): void {
    const events = this.#waiting.reduce((sum, { row }) => sum + row.count, 0);
    if (events > 0) {
      this.around.log("error", "Polled events could not be written to the buffer and are lost", {
        component: this.id,
        events,
      });
    }
    super.free();
  }

  protected override closed(batch: FlowBatch, first: number): void {
    // Once it is kept it is handed on, if need be in process after process, so it has to be whole.
    const fault = this.around.strict ? "" : malformation(batch);
    if (fault !== "") {
      return this.fail("MalformedBatch", "poll", `it wrote a malformed batch: ${fault}`);
    }
    if (batch.positionLength === 0) batch.setPosition(this.#newestPosition);
    const row: BufferRow = {
      source: this.id,
      firstSequence: first,
      lastSequence: batch.nextSequence - 1,
      count: batch.count,
      data: batch.bytes.subarray(0, batch.length),
      position: batch.positionBuffer.slice(0, batch.positionLength),
    };
    if (this.#waiting.length === 0) this.#waitingSince = this.around.now();
    this.#waiting.push({ batch, row });
    this.#waitingBytes += row.data.length + row.position.length;
  }

  get #newestPosition(): Uint8Array {
    return this.#waiting.at(-1)?.row.position ?? this.resumeAt;
  }

  get #mayPoll(): boolean {
    if (this.#waiting.length >= this.#inFlight) return false;
    return this.filling || this.#buffer.settings.whenFull !== "block" ||
      this.#buffer.hasRoom(this.#waitingBytes, this.#arena);
  }

  get #mayFeed(): boolean {
    return !this.#halted && !this.held && this.#underWay.size < this.#inFlight;
  }

  get #isDue(): boolean {
    return this.#waiting.length >= this.#inFlight ||
      (this.#waiting.length > 0 && this.around.now() - this.#waitingSince >= GROUP_MS);
  }

  /** Whether events are finished that hold the room which is missing: no reason yet to give up others. */
  get #isPatient(): boolean {
    return this.#waiting.length > 0 && !this.#halted &&
      this.ledger.sequence > this.ledger.acknowledged &&
      !this.#buffer.hasRoom(0, this.#waitingBytes) &&
      this.around.now() - this.#waitingSince < PATIENCE_MS;
  }

  /** Notes what a checkpoint has deleted. */
  #lookAfter(): void {
    const { acknowledged } = this.ledger;
    if (acknowledged === this.#acknowledged) return;
    this.#attempt(this.#reads, () => {
      this.#buffer.refresh();
      this.#acknowledged = acknowledged;
      // There is room now, on the disk too.
      this.#writes.blockedUntil = 0;
      return true;
    });
  }

  /** Writes what waits for it, in one transaction, and hands it on where nothing else comes first. */
  #keep(): boolean {
    if (this.#waiting.length === 0 || this.#isPatient) return false;
    return this.#attempt(this.#writes, () => {
      const upToDate = this.#buffer.drained;
      const rows = this.#waiting.map(({ row }) => row);
      const { kept, refused } = this.#buffer.append(rows, { force: this.#halted });
      const done = this.#waiting.splice(0, kept + refused);
      this.#waitingBytes -= done.reduce(
        (sum, { row }) => sum + row.data.length + row.position.length,
        0,
      );
      if (kept > 0) this.#uncommitted = rows[kept - 1]!.position;
      let straight = upToDate;
      for (const [i, { batch, row }] of done.entries()) {
        straight &&= i < kept && this.#mayFeed;
        if (!straight) {
          this.recycle(batch);
          continue;
        }
        this.#buffer.skip(row.lastSequence);
        this.#underWay.add(batch);
        this.handOn(batch, row.firstSequence);
      }
      return done.length > 0;
    });
  }

  /** Reads one row back and hands it on. */
  #feed(): boolean {
    if (this.#buffer.drained || !this.#mayFeed) return false;
    const row = this.#attemptRead();
    if (row === null) return false;
    const batch = this.takeBatch();
    if (batch === null) throw new Error("No batch is left though less than all are under way");
    if (row.data.length > batch.capacity) batch.resize(row.data.length);
    batch.bytes.set(row.data);
    batch.length = row.data.length;
    // Given back at once: garbage of this size is collected late.
    (row.data.buffer as ArrayBuffer).transfer(0);
    batch.count = row.count;
    batch.nextSequence = row.lastSequence + 1;
    batch.setPosition(row.position);
    this.#renumber(batch);
    this.#underWay.add(batch);
    this.handOn(batch, row.firstSequence);
    return true;
  }

  #attemptRead(): BufferRow | null {
    let row: BufferRow | null = null;
    this.#attempt(this.#reads, () => {
      row = this.#buffer.next();
      return true;
    });
    return row;
  }

  /** The configuration may have given the source another number since the row was written. */
  #renumber(batch: FlowBatch): void {
    const reader = this.#reader.open(batch);
    const at = RecordLayout.offset.source;
    while (reader.next() && reader.source !== this.number) {
      batch.view.setUint16(reader.offset + at, this.number, true);
    }
  }

  /** Tells the source what is on disk. */
  #commit(): void {
    const position = this.#uncommitted;
    if (position === null || this.busy || this.claimed || this.stopped) return;
    this.#uncommitted = null;
    if (!this.instance.has("commit")) return;
    this.settle(this.instance.commit(position), (status) => {
      if (status === Status.OK) return;
      const error = this.instance.error();
      this.around.log("warning", "Commit failed", { component: this.id, error });
    });
  }

  /** Does something with the store unless that has just failed; false when it fails, and it is tried again later. */
  #attempt(access: Access, action: () => boolean): boolean {
    const now = this.around.now();
    if (now < access.blockedUntil) {
      this.dueAt = Math.min(this.dueAt, access.blockedUntil);
      return false;
    }
    try {
      const result = action();
      access.wait.reset();
      return result;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const wait = access.wait.next();
      access.blockedUntil = now + wait;
      this.dueAt = Math.min(this.dueAt, access.blockedUntil);
      this.around.log("error", "Buffer failed, it is tried again", {
        component: this.id,
        error: error.message,
        wait_ms: wait,
      });
      return false;
    }
  }
}
