import { Status, statusName } from "../../ffi/layout.ts";
import type { Instance, SavedState } from "../component/component.ts";
import { StoreError } from "../store/errors.ts";
import type { DeadLetterInit, PipelineStore, StateRow } from "../store/pipeline_store.ts";
import { Backoff, type Node, type Surroundings } from "./node.ts";
import type { ProcessorNode } from "./processor_node.ts";
import type { Replayer } from "./replayer.ts";
import type { SourceNode } from "./source_node.ts";

/** Dead letters in memory before a round is taken for their sake. */
const LETTERS_MAX = 256;

export interface CheckpointOptions {
  store: PipelineStore;
  sources: readonly SourceNode[];
  processors: readonly ProcessorNode[];
  /** Those that can make durable what they accepted are asked to. */
  reactions: readonly Node[];
  replayer: Replayer;
  /** Milliseconds between two rounds. */
  interval: number;
  /** Bounds of the dead letters that are kept. */
  deadLetters: { maxBytes: number; maxAgeMs: number };
  /** Notes where source `number` resumes, in the flight recorder. */
  record(number: number, sequence: number, position: Uint8Array<ArrayBuffer>): void;
}

/** How far a source is in a round. */
interface Point {
  source: SourceNode;
  sequence: number;
  position: Uint8Array<ArrayBuffer>;
}

/**
 * Takes checkpoints in rounds. A round fixes a point for every source; has the states of processors saved that belong to it;
 * waits until everything up to it is accepted everywhere; has every reaction that can make it durable; then stores points, states
 * and dead letters in one transaction; and only then tells the sources. What is beyond the last point comes again after a crash.
 */
export class Checkpoints {
  readonly #around: Surroundings;
  readonly #options: CheckpointOptions;
  #nextAt: number;
  #round: Promise<boolean> | null = null;
  /** After a round that failed the next comes in its own time. */
  #mayHurry = true;
  #letters: DeadLetterInit[] = [];

  constructor(around: Surroundings, options: CheckpointOptions) {
    this.#around = around;
    this.#options = options;
    this.#nextAt = around.now() + options.interval;
  }

  /** Keeps a letter until the next round stores it. */
  add(letter: DeadLetterInit): void {
    this.#letters.push(letter);
    if (this.#letters.length >= LETTERS_MAX) this.#nextAt = 0;
  }

  /** Begins a round when it is time for one; when to come back at the latest. */
  service(now: number): number {
    if (this.#round !== null || !this.#needed()) return Infinity;
    const hurry = this.#mayHurry && this.#options.sources.some(({ pressing }) => pressing);
    if (now < this.#nextAt && !hurry) return this.#nextAt;
    void this.#begin(() => Infinity).then((stored) => this.#mayHurry = stored);
    return Infinity;
  }

  /** Stores everything accepted until now, if it takes several rounds, but none begins after `deadline`; whether it did. */
  async take(deadline: () => number): Promise<boolean> {
    await this.#round;
    const wait = new Backoff(1, 1000);
    while (this.#needed() && !await this.#begin(deadline)) {
      const left = deadline() - this.#around.now();
      if (left <= 0) return false;
      await pause(Math.min(wait.next(), left));
    }
    return true;
  }

  #needed(): boolean {
    const { sources, processors, replayer } = this.#options;
    return this.#letters.length > 0 || replayer.hasOutcome ||
      processors.some(({ emittedUnasked }) => emittedUnasked) ||
      sources.some(({ ledger }) => ledger.sequence > ledger.acknowledged);
  }

  /** Takes a round, or joins the one that is being taken; whether it was stored. */
  #begin(deadline: () => number): Promise<boolean> {
    return this.#round ??= this.#run(deadline).catch((error: Error) => {
      this.#around.log("error", "Checkpoint failed, it is tried again", { error: error.message });
      return false;
    }).finally(() => {
      this.#round = null;
      this.#nextAt = this.#around.now() + this.#options.interval;
      this.#around.interrupt();
    });
  }

  async #run(deadline: () => number): Promise<boolean> {
    const { sources, processors, reactions } = this.#options;
    const stateful = processors.filter(({ instance }) => instance.has("save"));
    let points: Point[];
    let states: StateRow[] = [];
    if (stateful.length === 0) points = sources.map(acceptedPoint);
    else {
      const barrier = await this.#barrier(stateful, deadline);
      if (barrier === null) return false;
      ({ points, states } = barrier);
      const arrived = () =>
        points.every(({ source, sequence }) => source.ledger.sequence >= sequence);
      if (!await this.#until(arrived, deadline)) return false;
    }
    const emitted = processors.filter(({ emittedUnasked, idle }) => emittedUnasked && idle);
    for (const node of emitted) node.emittedUnasked = false;
    let stored = false;
    try {
      for (const { instance } of reactions) {
        if (instance.has("flush") && !await this.#flush(instance, deadline)) return false;
      }
      this.#store(points, states);
      stored = true;
    } finally {
      if (!stored) { for (const node of emitted) node.emittedUnasked = true; }
    }
    for (const point of points) await this.#commit(point, deadline);
    return true;
  }

  /**
   * Holds the sources until the processors have seen all that was polled, so that their states belong to one point. Null when
   * that is not so by the deadline.
   */
  async #barrier(
    stateful: readonly Node[],
    deadline: () => number,
  ): Promise<{ points: Point[]; states: StateRow[] } | null> {
    const { sources, processors } = this.#options;
    for (const source of sources) source.held = true;
    try {
      const quiet = () => !sources.some(({ busy }) => busy) && processors.every(({ idle }) => idle);
      if (!await this.#until(quiet, deadline)) return null;
      const points = sources.map(newestPoint);
      const states: StateRow[] = [];
      for (const { instance } of stateful) {
        const saved = await this.#save(instance, deadline);
        if (saved === null) return null;
        states.push({ component: stateKey(instance), ...saved });
      }
      return { points, states };
    } finally {
      for (const source of sources) source.release();
      this.#around.interrupt();
    }
  }

  async #save(instance: Instance, deadline: () => number): Promise<SavedState | null> {
    let saved: SavedState | null = null;
    const status = await this.#alone(instance, deadline, async () => {
      const answer = await instance.save();
      if (typeof answer === "number") return answer;
      saved = answer;
      return Status.OK;
    });
    if (status !== Status.OK && status !== null) this.#refused(instance, "save", status);
    return saved;
  }

  #store(points: readonly Point[], states: StateRow[]): void {
    const { store, replayer } = this.#options;
    const letters = this.#letters.splice(0);
    const outcome = replayer.takeOutcome();
    const moved = points.filter(({ source, sequence }) => sequence > source.ledger.acknowledged);
    try {
      store.commit({
        marks: moved.map(({ source, sequence, position }) => ({
          source: source.id,
          sequence,
          position,
        })),
        states,
        deadLetters: letters,
        delivered: outcome.delivered,
        failedReplays: outcome.failed,
        buffered: moved.filter(({ source }) => source.buffered)
          .map(({ source, sequence }) => ({ source: source.id, upTo: sequence })),
      });
    } catch (error) {
      this.#letters.unshift(...letters);
      replayer.restore(outcome);
      throw error;
    }
    for (const { source, sequence, position } of moved) {
      source.ledger.acknowledge(sequence);
      this.#options.record(source.number, sequence, position);
    }
    if (letters.length > 0) this.#trimLetters();
  }

  /** Not part of the round, which is stored: what is too much goes with later letters. */
  #trimLetters(): void {
    const { store, deadLetters } = this.#options;
    try {
      const letters = store.trimLetters({ ...deadLetters, now: Date.now() });
      if (letters === 0) return;
      this.#around.log("warning", "Old dead letters were removed to make room", { letters });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#around.log("error", "Old dead letters were not removed", { error: error.message });
    }
  }

  async #commit({ source, sequence, position }: Point, deadline: () => number): Promise<void> {
    const { instance } = source;
    if (!instance.has("commit") || source.committed >= sequence) return;
    source.committed = sequence;
    const status = await this.#alone(instance, deadline, () => instance.commit(position));
    if (status === Status.OK || status === null) return;
    const error = instance.error();
    this.#around.log("warning", "Commit failed", { component: source.id, error });
  }

  /** Whether everything the reaction accepted is durable now. */
  async #flush(instance: Instance, deadline: () => number): Promise<boolean> {
    const status = await this.#alone(instance, deadline, () => instance.flush());
    if (status === Status.OK) return true;
    if (status === null || status === Status.AGAIN) return false;
    this.#refused(instance, "flush", status);
    return false;
  }

  /** FAILED only costs this round, anything else the cell. */
  #refused(instance: Instance, call: "save" | "flush", status: number): void {
    const error = instance.error();
    const { id: component, plugin } = instance;
    if (status === Status.FAILED) {
      const text = call === "save"
        ? "Save failed, the checkpoint is tried again"
        : "Flush failed, it is tried again";
      return this.#around.log("warning", text, { component, error });
    }
    this.#around.fatal({
      pipeline: this.#around.pipelineId,
      component,
      plugin,
      call,
      code: "Fatal",
      message: error || `it returned ${statusName(status)} without a message`,
    });
  }

  /** Makes a call when no other is being made on the instance; null when the deadline passed before. */
  async #alone(
    instance: Instance,
    deadline: () => number,
    call: () => number | Promise<number>,
  ): Promise<number | null> {
    const { sources, processors, reactions } = this.#options;
    const node = [...sources, ...processors, ...reactions].find((node) =>
      node.instance === instance
    )!;
    node.claimed = true;
    try {
      if (node.busy && !await this.#until(() => !node.busy, deadline)) return null;
      const result = call();
      if (typeof result === "number") return result;
      node.busy = true;
      return await result.finally(() => node.busy = false);
    } finally {
      node.claimed = false;
      this.#around.makeReady(node);
      this.#around.interrupt();
    }
  }

  /** Waits for a condition; false when the deadline passed before. */
  async #until(condition: () => boolean, deadline: () => number): Promise<boolean> {
    while (!condition()) {
      if (this.#around.now() >= deadline()) return false;
      this.#around.interrupt();
      await pause(1);
    }
    return true;
  }
}

/** Under what a state is kept: another plugin that takes over an id does not get the state of the one before it. */
export function stateKey({ id, plugin }: Pick<Instance, "id" | "plugin">): string {
  return `${id}@${plugin}`;
}

/** Everything up to here was accepted everywhere. */
function acceptedPoint(source: SourceNode): Point {
  const { sequence, position } = source.ledger;
  return { source, sequence, position };
}

/** Everything up to here was handed out. */
function newestPoint(source: SourceNode): Point {
  const { sequence, position } = source.ledger.newest;
  return { source, sequence, position };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
