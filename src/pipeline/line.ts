import { LINE_STAGES, LineLayout } from "../../ffi/recorder_layout.ts";
import { loadShim, type Shim } from "../../ffi/shim.ts";
import { NativeInstance } from "../component/native.ts";
import { Arena } from "../event/arena.ts";
import type { FlowBatch } from "./flow_batch.ts";
import type { Ledger } from "./ledger.ts";
import type { Node } from "./node.ts";

/** A node in a line behind the source. */
export interface Stage extends Node {
  /** Whether it takes batches one at a time, from one producer only, and has at most one output. */
  readonly straight: boolean;
  /** Tells `input` to write to the empty batch that this returns; null when there is none. A reaction needs none: undefined. */
  lineOutput(input: FlowBatch): FlowBatch | null | undefined;
}

/**
 * A source and all that follows it where that is one straight line of native components that do not block. The shim then
 * takes full batches from one end to the other, several in one call. This is a short cut only: whatever is out of the ordinary goes
 * on from the component where it happened, as if the calls before had been made one by one.
 */
export class Line {
  readonly #shim: Shim = loadShim();
  readonly #memory = new Arena(LineLayout.size);
  readonly #longs: BigUint64Array;
  readonly #stages: readonly Stage[];
  readonly #instances: readonly NativeInstance[];
  /** Whose addresses the line holds: the source's batch, then each stage's output. */
  readonly #written: (FlowBatch | null | undefined)[] = [];

  /** The source's batch when nothing has changed since the last run. */
  #prepared: FlowBatch | null = null;

  private constructor(source: NativeInstance, stages: readonly Stage[]) {
    const { offset, size } = LineLayout;
    this.#longs = new BigUint64Array(this.#memory.buffer, 0, size >> 3);
    this.#stages = stages;
    this.#instances = stages.map((stage) => stage.instance as NativeInstance);
    this.#longs[offset.source >> 3] = source.slot;
    this.#longs[offset.stage_count >> 3] = BigInt(stages.length);
    for (const [i, instance] of this.#instances.entries()) {
      this.#longs[(offset.stages >> 3) + 2 * i] = instance.slot;
    }
  }

  /** A line from `source` through `stages` to a reaction; null where they do not make one. */
  static of(source: Node, stages: readonly Stage[]): Line | null {
    const native = [source, ...stages].every((node) =>
      node.instance instanceof NativeInstance && !node.instance.blocking
    );
    if (!native || stages.length === 0 || stages.length > LINE_STAGES) return null;
    if (!stages.every((stage) => stage.straight)) return null;
    return new Line(source.instance as NativeInstance, stages);
  }

  /** Whether every stage has a batch to write to. Only to be asked while nothing is under way on the line. */
  prepare(batch: FlowBatch): boolean {
    if (this.#prepared === batch) return true;
    const at = LineLayout.offset;
    if (this.#written[0] !== batch) {
      this.#written[0] = batch;
      this.#longs[at.batch >> 3] = batch.address;
    }
    let input = batch;
    for (let i = 0; i < this.#stages.length; i++) {
      const out = this.#stages[i]!.lineOutput(input);
      if (out === null) return false;
      if (out === undefined) break;
      input = out;
      if (this.#written[i + 1] === out) continue;
      this.#written[i + 1] = out;
      this.#longs[(at.stages >> 3) + 2 * i + 1] = out.address;
    }
    this.#prepared = batch;
    return true;
  }

  /**
   * Runs the batch of {@linkcode prepare} down the line, again and again: LINE_DONE when all was accepted, so that the batch
   * holds the newest position; otherwise see {@linkcode moved} and {@linkcode stoppedAt}.
   */
  run(): number {
    return this.#shim.bb_run(this.#memory.pointer);
  }

  /** Notes in `ledger` what went all the way in a run that did not end with LINE_DONE; whether anything did. */
  noteMoved(ledger: Ledger): boolean {
    const { offset } = LineLayout;
    const moved = Number(this.#longs[offset.moved >> 3]!);
    if (moved === 0) return false;
    const length = Number(this.#longs[offset.position_length >> 3]!);
    ledger.advance(moved, new Int32Array(this.#memory.buffer, offset.position), length);
    return true;
  }

  /**
   * Of a result that is not LINE_DONE: the stage that it ended at, 0 for the source. The stages up to there answer their
   * next call with what they said in this run.
   */
  stoppedAt(result: number): number {
    const stage = result >> 8;
    for (let i = 0; i < stage; i++) {
      this.#instances[i]!.preset(i + 1 === stage ? statusOf(result) : 0);
    }
    return stage;
  }

  /** Notes that a batch took the long way, so that other batches may be in place now. */
  leave(): void {
    this.#prepared = null;
  }

  free(): void {
    this.#memory.free();
  }
}

/** The status in a result that is not LINE_DONE. */
export function statusOf(result: number): number {
  return (result << 24) >> 24;
}
