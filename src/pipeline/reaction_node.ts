import { BatchFlag, Status } from "../../ffi/layout.ts";
import type { Completion, Instance } from "../component/component.ts";
import { malformation, offsetOf, RecordReader } from "../event/reader.ts";
import { FlowBatch, release, Windows } from "./flow_batch.ts";
import type { Stage } from "./line.ts";
import { Backoff, type Consumer, Node, type Surroundings } from "./node.ts";
import { type DeliverySettings, giveUpRecord, type Refusal, retryWait } from "./refusals.ts";

/** Offers batches to a reaction, in order, until each record is accepted or given up. */
export class ReactionNode extends Node implements Consumer, Stage {
  #waiting: FlowBatch[] = [];
  #pending = new Map<number, FlowBatch>();
  /** Completions that came before the PENDING they belong to. */
  #early: Completion[] = [];
  #windows = new Windows();
  #delivery: DeliverySettings;
  #maxPending: number;
  #again = new Backoff(1, 100);
  /** A write is being made. */
  #writing = false;
  /** The end of the wait after AGAIN or a failure; 0: none. */
  #waitUntil = 0;
  /** It is one after AGAIN, which a wake ends; that after a failure it does not. */
  #waitsForWake = false;
  #tickBatch: FlowBatch;
  /** Milliseconds between two ticks. */
  readonly #interval: number;
  #nextTick: number;

  constructor(
    instance: Instance,
    around: Surroundings,
    options: { delivery: DeliverySettings; maxPending: number },
  ) {
    super(instance, around);
    this.#delivery = options.delivery;
    this.#maxPending = options.maxPending;
    this.#tickBatch = new FlowBatch({ recycle: () => {} }, { bytes: 0, limit: 0 });
    this.#interval = instance.tickInterval || Infinity;
    this.#nextTick = around.now() + this.#interval;
    this.dueAt = this.#nextTick;
  }

  offer(batch: FlowBatch): void {
    const own = batch.shared ? this.#windows.on(batch, 0, batch.count) : batch;
    if (this.#free() && this.#waiting.length === 0) this.#write(own);
    else this.#waiting.push(own);
  }

  resume(): void {
    const now = this.around.now();
    if (this.#waitUntil <= now) this.#waitUntil = 0;
    if (now >= this.#nextTick && !this.busy && !this.claimed) {
      this.#nextTick = now + this.#interval;
      if (this.instance.has("tick")) this.#tick();
    }
    while (this.#waiting.length > 0 && this.#free()) this.#write(this.#waiting.shift()!);
    this.#schedule();
  }

  /** The reaction asked for a tick, or to be offered again what it had said AGAIN to. */
  wake(): void {
    if (this.#waitsForWake) this.#waitUntil = 0;
    if (this.instance.has("tick")) this.#nextTick = Math.min(this.#nextTick, this.around.now());
    this.resume();
  }

  /** Ends a PENDING write. */
  completed(completion: Completion): void {
    const batch = this.#pending.get(completion.batchId);
    if (batch === undefined) {
      if (this.busy || this.#writing) this.#early.push(completion);
      else {
        this.fail(
          "Fatal",
          "write",
          `it completed batch ${completion.batchId}, which is not pending`,
        );
      }
      return;
    }
    this.#pending.delete(completion.batchId);
    if (completion.status === Status.OK) {
      this.around.count(this.instance.index, "eventsIn", batch.count);
      this.around.count(this.instance.index, "bytesIn", batch.length);
      release(batch);
    } else {
      batch.done = completion.done;
      this.#notAccepted(batch, completion.status, completion.message);
    }
    this.resume();
  }

  get straight(): boolean {
    return true;
  }

  lineOutput(): undefined {}

  get idle(): boolean {
    return !this.busy && this.#waiting.length === 0 && this.#pending.size === 0;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  get pending(): number {
    return this.#pending.size;
  }

  free(): void {
    this.#windows.free();
    this.#tickBatch.free();
  }

  #free(): boolean {
    return !this.busy && !this.claimed && this.#waitUntil === 0 &&
      this.#pending.size < this.#maxPending;
  }

  /** Offers nothing for `ms` milliseconds. */
  #wait(ms: number, { forWake }: { forWake: boolean }): void {
    this.#waitUntil = this.around.now() + ms;
    this.#waitsForWake = forWake;
    this.#schedule();
  }

  #schedule(): void {
    // Who is claimed is resumed when that ends.
    const tick = this.claimed ? Infinity : this.#nextTick;
    this.dueAt = Math.min(tick, this.#waitUntil || Infinity);
  }

  #tick(): void {
    const batch = this.#tickBatch;
    batch.now = BigInt(this.around.time()) * 1_000_000n;
    this.settle(this.instance.tick(batch), (status) => {
      if (status === Status.OK) return;
      const error = this.instance.error();
      if (status !== Status.FAILED) return this.failStatus("tick", status, error);
      this.around.log("warning", "Tick failed", { component: this.id, error });
    });
  }

  #write(whole: FlowBatch): void {
    const batch = this.suspicion === null ? whole : this.#careful(whole);
    if (batch === null) return;
    this.#writing = true;
    const status = this.instance.write(batch);
    this.#writing = false;
    // The common case first, and without a closure.
    if (status === Status.OK) return this.#accepted(batch);
    this.settle(status, (status) => this.#written(batch, status));
  }

  /** The part of a batch to offer after a crash, the rest of which waits; null when its first record was given up. */
  #careful(batch: FlowBatch): FlowBatch | null {
    const portion = this.suspicion!.portion(batch);
    if (portion === null) {
      this.suspicion = null;
      this.around.calm();
      return batch;
    }
    const { count, end, poison } = portion;
    if (count < batch.count) {
      const [head, rest] = this.#windows.split(batch, end, count);
      this.#waiting.unshift(rest);
      this.around.makeReady(this);
      batch = head;
    }
    if (!poison) return batch;
    const error = "it crashed more than once while it was given this event alone";
    if (this.#giveUp(batch, { code: "Poison", error, attempts: 2 })) release(batch);
    return null;
  }

  #accepted(batch: FlowBatch): void {
    this.#again.reset();
    release(batch);
  }

  #written(batch: FlowBatch, status: number): void {
    switch (status) {
      case Status.OK:
        return this.#accepted(batch);
      case Status.AGAIN:
        this.#waiting.unshift(batch);
        return this.#wait(this.#again.next(), { forWake: true });
      case Status.PENDING:
        this.#again.reset();
        return this.#keep(batch);
      default:
        this.#notAccepted(batch, status, this.instance.error());
    }
  }

  #keep(batch: FlowBatch): void {
    this.#pending.set(batch.id, batch);
    const early = this.#early.findIndex((completion) => completion.batchId === batch.id);
    if (early >= 0) this.completed(this.#early.splice(early, 1)[0]!);
  }

  #notAccepted(batch: FlowBatch, status: number, error: string): void {
    if (status !== Status.FAILED && status !== Status.INVALID) {
      return this.failStatus("write", status, error);
    }
    const fault = malformation(batch);
    if (fault !== "") return this.failProducer(batch, fault);
    const { done, count } = batch;
    if (done >= count) {
      return this.fail("Fatal", "write", `it failed record ${done} of a batch of ${count}`);
    }
    const offset = offsetOf(batch, done);
    this.around.count(this.instance.index, "eventsIn", done);
    this.around.count(this.instance.index, "bytesIn", offset);
    const rest = done > 0 ? this.#windows.rest(batch, offset, count - done) : batch;
    const attempt = ++rest.attempts;
    if (status === Status.INVALID) {
      return this.#rejectFirst(rest, { code: "Invalid", error, attempts: attempt });
    }
    const { maxAttempts } = this.#delivery.retry;
    if (maxAttempts > 0 && attempt >= maxAttempts) {
      return this.#rejectFirst(rest, { code: "Failed", error, attempts: attempt });
    }
    const wait = retryWait(this.#delivery.retry, attempt);
    this.around.count(this.instance.index, "retries", 1);
    this.around.log("warning", "Write failed, it is tried again", {
      component: this.id,
      error,
      attempt,
      wait_ms: Math.round(wait),
      events: rest.count,
    });
    rest.rewind();
    rest.flags |= BatchFlag.REPLAY;
    this.#waiting.unshift(rest);
    this.#wait(wait, { forWake: false });
  }

  /**
   * The first record is given up; what is behind it is offered again. After FAILED that has no attempts left either, until one is accepted:
   * where everything fails, each record waiting anew would take hours.
   */
  #rejectFirst(batch: FlowBatch, refusal: Refusal): void {
    if (!this.#giveUp(batch, refusal)) return;
    if (batch.count === 1) return release(batch);
    const reader = new RecordReader().open(batch);
    reader.next();
    const rest = this.#windows.rest(batch, reader.end, batch.count - 1);
    if (refusal.code === "Failed") rest.attempts = refusal.attempts - 1;
    this.#waiting.unshift(rest);
    this.around.makeReady(this);
  }

  /** Gives up the first record; false when the pipeline stops instead. */
  #giveUp(batch: FlowBatch, refusal: Refusal): boolean {
    const { around } = this;
    if (giveUpRecord(batch, { node: this, around, delivery: this.#delivery, refusal })) {
      return true;
    }
    // Nothing behind it is written any more.
    this.#maxPending = 0;
    return false;
  }
}
