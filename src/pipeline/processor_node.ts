import { BatchFlag, Status } from "../../ffi/layout.ts";
import type { Instance } from "../component/component.ts";
import { Arena } from "../event/arena.ts";
import { indexAt, malformation, offsetOf, RecordReader } from "../event/reader.ts";
import { FlowBatch, type Owner, Pool, release, Windows } from "./flow_batch.ts";
import { detachedEntry, type Entry } from "./ledger.ts";
import type { Stage } from "./line.ts";
import { type Consumer, dispatch, Node, rootOf, type Surroundings } from "./node.ts";
import { type DeliverySettings, giveUpRecord, type Refusal, retryWait } from "./refusals.ts";
import { type BatchSettings, LARGEST_ARENA } from "./source_node.ts";

/** Hands batches to a processor and what it makes of them to its consumers. */
export class ProcessorNode extends Node implements Consumer, Stage {
  /** For each output, who reads it. */
  readonly consumers: Consumer[][];
  /** It emitted in a tick: its state changed, and reactions took events, though no source moved. The checkpoint's to reset. */
  emittedUnasked = false;
  #waiting: FlowBatch[] = [];
  #pools: Pool[];
  #outputs: (FlowBatch | null)[];
  /** The addresses of the output batches, as the plugin sees them. */
  #table: Arena;
  #addresses: BigUint64Array;
  /** Whose addresses they are. */
  #written: (FlowBatch | null)[];
  #windows = new Windows();
  #tickBatch: FlowBatch;
  #tickEntry: Entry = detachedEntry();
  /** Milliseconds between two ticks. */
  readonly #interval: number;
  #nextTick: number;
  /** Where the call that is being made begins to read. */
  #cursor = 0;
  readonly #delivery: DeliverySettings;

  constructor(
    instance: Instance,
    around: Surroundings,
    options: { batch: BatchSettings; delivery: DeliverySettings },
  ) {
    super(instance, around);
    const { maxBytes: bytes, maxEvents: limit, inFlight } = options.batch;
    this.#delivery = options.delivery;
    this.consumers = instance.outputs.map(() => []);
    this.#outputs = instance.outputs.map(() => null);
    this.#written = instance.outputs.map(() => null);
    this.#pools = instance.outputs.map((_, output) => {
      const owner: Owner = { producer: this, recycle: (batch) => this.#recycle(batch, output) };
      return new Pool(inFlight, () => new FlowBatch(owner, { bytes, limit }));
    });
    this.#table = new Arena(8 * instance.outputs.length);
    this.#addresses = new BigUint64Array(this.#table.buffer, 0, instance.outputs.length);
    this.#tickBatch = new FlowBatch({ recycle: () => {} }, { bytes: 0, limit: 0 });
    this.#interval = instance.tickInterval || Infinity;
    this.#nextTick = around.now() + this.#interval;
    this.dueAt = this.#nextTick;
  }

  offer(batch: FlowBatch): void {
    const own = batch.shared ? this.#windows.on(batch, 0, batch.count) : batch;
    this.#waiting.push(own);
    if (this.#waiting.length === 1 && this.#waitUntil === 0) this.#work();
  }

  resume(): void {
    if (this.busy) return;
    const now = this.around.now();
    if (this.#waitUntil <= now) this.#waitUntil = 0;
    if (now >= this.#nextTick && !this.#starved) {
      this.#nextTick = now + this.#interval;
      if (this.instance.has("tick")) this.#tick(this.#tickFlags);
    }
    if (this.#waitUntil === 0) this.#work();
    // Without an output to write to nothing is due: the output that comes back resumes it.
    this.dueAt = Math.min(this.#starved ? Infinity : this.#nextTick, this.#waitUntil || Infinity);
  }

  /** The processor asked for a tick. */
  wake(): void {
    if (this.instance.has("tick") && !this.#halted) {
      this.#nextTick = Math.min(this.#nextTick, this.around.now());
      this.around.makeReady(this);
    }
  }

  /** Lets it emit what it can before it is stopped. */
  drain(): void {
    if (this.instance.has("tick") && !this.busy) this.#tick(BatchFlag.DRAIN);
  }

  /** Its component was stopped: no more ticks. */
  halt(): void {
    this.#halted = true;
    this.#nextTick = this.dueAt = Infinity;
  }

  get straight(): boolean {
    return this.consumers.length === 1 && !this.instance.has("tick");
  }

  lineOutput(input: FlowBatch): FlowBatch | null {
    return this.#lendOutputs(input) ? this.#outputs[0]! : null;
  }

  get idle(): boolean {
    return !this.busy && this.#waiting.length === 0 && this.#tickEntry.open === 0 &&
      this.#tickFlags === 0;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  free(): void {
    for (const pool of this.#pools) pool.free();
    this.#windows.free();
    this.#tickBatch.free();
    this.#table.free();
  }

  /** An output has no batch to write to. */
  #starved = false;
  /** The end of the wait after a failure; 0: none. */
  #waitUntil = 0;
  /** Flags of a tick that could not be finished. */
  #tickFlags = 0;
  #halted = false;

  #recycle(batch: FlowBatch, output: number): void {
    this.#pools[output]!.give(batch);
    if (!this.#starved) return;
    this.#starved = false;
    this.around.makeReady(this);
  }

  /** Gives `batch` an empty batch for each output; false while one of them has none left. */
  #lendOutputs(batch: FlowBatch): boolean {
    const outputs = this.#outputs;
    for (let i = 0; i < outputs.length; i++) {
      if (outputs[i] !== null) continue;
      const taken = this.#pools[i]!.take();
      if (taken === null) {
        this.#starved = true;
        return false;
      }
      outputs[i] = taken;
      if (this.#written[i] === taken) continue;
      this.#written[i] = taken;
      this.#addresses[i] = taken.address;
    }
    batch.setOutputs(this.#table.address, outputs as FlowBatch[]);
    return true;
  }

  #work(): void {
    while (
      this.#waiting.length > 0 && !this.busy && !this.claimed && !this.#starved &&
      this.#waitUntil === 0
    ) {
      if (this.suspicion !== null && !this.#careful()) continue;
      const batch = this.#waiting[0]!;
      if (!this.#lendOutputs(batch)) return;
      this.#cursor = batch.cursor;
      const status = this.instance.process(batch);
      if (status === Status.OK) this.#finish(batch);
      else this.settle(status, (status) => this.#processed(batch, status));
    }
  }

  /** Cuts the first batch to what may be offered after a crash; false when its first record was given up instead. */
  #careful(): boolean {
    const batch = this.#waiting[0]!;
    // In the middle of a batch the caution came before.
    if (batch.cursor > 0) return true;
    const portion = this.suspicion!.portion(batch);
    if (portion === null) {
      this.suspicion = null;
      this.around.calm();
      return true;
    }
    const { count, end, poison } = portion;
    if (count < batch.count) this.#waiting.splice(0, 1, ...this.#windows.split(batch, end, count));
    if (!poison) return true;
    const error = "it crashed more than once while it was given this event alone";
    const head = this.#waiting.shift()!;
    if (this.#giveUp(head, { code: "Poison", error, attempts: 2 })) release(head);
    return false;
  }

  #finish(batch: FlowBatch): void {
    if (!this.#ship(entryOf(batch), "process")) return;
    if (this.#waiting.length === 1) this.#waiting.pop();
    else this.#waiting.shift();
    release(batch);
  }

  #processed(batch: FlowBatch, status: number): void {
    if (status === Status.OK) return this.#finish(batch);
    const cursor = batch.cursor;
    switch (status) {
      case Status.MORE: {
        const moved = this.#outputs.some((out) => out!.count > 0 || out!.required > 0);
        if (!moved || cursor > batch.length) {
          const why = moved
            ? `with its cursor at byte ${cursor} of a batch of ${batch.length}`
            : "without having written anything";
          return this.fail("Fatal", "process", `it returned MORE ${why}`);
        }
        this.#ship(entryOf(batch), "process");
        return;
      }
      case Status.FAILED:
      case Status.INVALID:
        return this.#notProcessed(batch, status);
      default:
        this.failStatus("process", status);
    }
  }

  #notProcessed(batch: FlowBatch, status: number): void {
    const fault = malformation(batch);
    if (fault !== "") return this.failProducer(batch, fault);
    const first = indexAt(batch, this.#cursor);
    const done = first + batch.done;
    if (done >= batch.count) {
      return this.fail("Fatal", "process", `it failed record ${done} of a batch of ${batch.count}`);
    }
    const error = this.instance.error();
    if (!this.#ship(entryOf(batch), "process")) return;
    const offset = offsetOf(batch, done);
    const rest = done > 0 ? this.#windows.rest(batch, offset, batch.count - done) : batch;
    rest.rewind();
    this.#waiting[0] = rest;
    const attempts = ++rest.attempts;
    const { maxAttempts } = this.#delivery.retry;
    if (status === Status.INVALID) {
      return this.#rejectFirst(rest, { code: "Invalid", error, attempts });
    }
    if (maxAttempts > 0 && attempts >= maxAttempts) {
      return this.#rejectFirst(rest, { code: "Failed", error, attempts });
    }
    const wait = retryWait(this.#delivery.retry, attempts);
    this.around.count(this.instance.index, "retries", 1);
    this.around.log("warning", "Processor failed, it is tried again", {
      component: this.id,
      error,
      wait_ms: wait,
    });
    this.#waitUntil = this.around.now() + wait;
    this.dueAt = Math.min(this.dueAt, this.#waitUntil);
  }

  #rejectFirst(batch: FlowBatch, refusal: Refusal): void {
    if (!this.#giveUp(batch, refusal)) return;
    if (batch.count > 1) {
      const reader = new RecordReader().open(batch);
      reader.next();
      this.#waiting[0] = this.#windows.rest(batch, reader.end, batch.count - 1);
    } else {
      this.#waiting.shift();
      release(batch);
    }
    this.around.makeReady(this);
  }

  /** Gives up the first record; false when the pipeline stops instead. */
  #giveUp(batch: FlowBatch, refusal: Refusal): boolean {
    const { around } = this;
    if (giveUpRecord(batch, { node: this, around, delivery: this.#delivery, refusal })) {
      return true;
    }
    this.claimed = true;
    return false;
  }

  #tick(flags: number): void {
    const batch = this.#tickBatch;
    if (!this.#lendOutputs(batch)) return this.#tickAgain(flags);
    this.#tickFlags = 0;
    batch.flags = flags;
    batch.now = BigInt(this.around.time()) * 1_000_000n;
    this.settle(this.instance.tick(batch), (status) => {
      if (
        status < 0 && status !== Status.FAILED || status > Status.MORE || status === Status.AGAIN
      ) {
        return this.failStatus("tick", status);
      }
      if (this.#outputs.some((out) => out!.count > 0)) this.emittedUnasked = true;
      if (!this.#ship(this.#tickEntry, "tick")) return;
      if (status === Status.FAILED) {
        const error = this.instance.error();
        this.around.log("warning", "Tick failed", { component: this.id, error });
      }
      if (status === Status.MORE) {
        this.#tickAgain(flags);
        this.around.makeReady(this);
      }
    });
  }

  /** Has the tick go on as soon as there are outputs for it. */
  #tickAgain(flags: number): void {
    this.#tickFlags = flags;
    this.#nextTick = this.around.now();
  }

  /** Hands on what the outputs hold, as something that `entry` waits for; false when it was malformed. */
  #ship(entry: Entry, call: "process" | "tick"): boolean {
    const outputs = this.#outputs;
    for (let i = 0; i < outputs.length; i++) {
      const out = outputs[i]!;
      if (out.count === 0) {
        if (out.required > 0 && !this.#grow(out, call)) return false;
        continue;
      }
      if (!this.sound(out, call)) return false;
      if (out.lent) {
        this.fail("MalformedBatch", call, "it lent memory, which only sources may");
        return false;
      }
      outputs[i] = null;
      const consumers = this.consumers[i]!;
      out.required = 0;
      out.flags = entry.flags;
      out.references = 1;
      if (consumers.length === 0) {
        release(out);
        continue;
      }
      entry.open++;
      out.entry = entry;
      dispatch(out, consumers);
    }
    return true;
  }

  #grow(out: FlowBatch, call: "process" | "tick"): boolean {
    if (out.required > LARGEST_ARENA) {
      const limit = `the largest that is possible has ${LARGEST_ARENA}`;
      this.fail("MalformedBatch", call, `an event of it needs ${out.required} bytes, and ${limit}`);
      return false;
    }
    if (out.required > out.capacity) out.resize(out.required);
    out.required = 0;
    return true;
  }
}

function entryOf(batch: FlowBatch): Entry {
  return rootOf(batch).entry!;
}
