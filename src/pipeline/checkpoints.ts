import { Status, statusName } from "../../ffi/layout.ts";
import type { Instance } from "../component/component.ts";
import { Backoff, type Node, type Surroundings } from "./node.ts";
import type { SourceNode } from "./source_node.ts";

export interface CheckpointOptions {
  sources: readonly SourceNode[];
  /** Those that can make durable what they accepted are asked to. */
  reactions: readonly Instance[];
  nodes: readonly Node[];
  /** Milliseconds between two rounds. */
  interval: number;
  /** Notes where source `number` resumes. */
  record(number: number, sequence: number, position: Uint8Array<ArrayBuffer>): void;
}

interface Mark {
  source: SourceNode;
  sequence: number;
  position: Uint8Array<ArrayBuffer>;
}

/**
 * Acknowledges in rounds what was accepted: first every reaction that can flushes, then the sources' positions as they
 * were before are noted, then the sources are told. What was not acknowledged comes again after a crash.
 */
export class Checkpoints {
  readonly #around: Surroundings;
  readonly #options: CheckpointOptions;
  #nextAt: number;
  #round: Promise<boolean> | null = null;

  constructor(around: Surroundings, options: CheckpointOptions) {
    this.#around = around;
    this.#options = options;
    this.#nextAt = around.now() + options.interval;
  }

  /** Begins a round when it is time for one; when to come back at the latest. */
  service(now: number): number {
    if (this.#round !== null || !this.#needed()) return Infinity;
    if (now < this.#nextAt) return this.#nextAt;
    this.#begin(() => Infinity);
    return Infinity;
  }

  /** Acknowledges everything accepted until now, if it takes several rounds, but none begins after `deadline`. */
  async take(deadline: () => number): Promise<void> {
    await this.#round;
    const wait = new Backoff(1, 1000);
    while (this.#needed() && !await this.#begin(deadline)) {
      const left = deadline() - this.#around.now();
      if (left <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, Math.min(wait.next(), left)));
    }
  }

  #needed(): boolean {
    return this.#options.sources.some(({ ledger }) => ledger.sequence > ledger.acknowledged);
  }

  /** Takes a round, or joins the one that is being taken; whether everything in it was acknowledged. */
  #begin(deadline: () => number): Promise<boolean> {
    return this.#round ??= this.#run(deadline).catch((error) => {
      this.#around.log("error", "Checkpoint failed, it is tried again", { error: String(error) });
      return false;
    }).finally(() => {
      this.#round = null;
      this.#nextAt = this.#around.now() + this.#options.interval;
      this.#around.interrupt();
    });
  }

  async #run(deadline: () => number): Promise<boolean> {
    const marks: Mark[] = this.#options.sources
      .filter(({ ledger }) => ledger.sequence > ledger.acknowledged)
      .map((source) => {
        const { sequence, position } = source.ledger;
        return { source, sequence, position };
      });
    for (const instance of this.#options.reactions) {
      if (instance.has("flush") && !await this.#flush(instance, deadline)) return false;
    }
    for (const { source, sequence, position } of marks) {
      source.ledger.acknowledge(sequence);
      this.#options.record(source.number, sequence, position);
      if (!source.instance.has("commit")) continue;
      const status = await this.#alone(
        source.instance,
        deadline,
        () => source.instance.commit(position),
      );
      if (status !== Status.OK && status !== null) {
        const error = source.instance.error();
        this.#around.log("warning", "Commit failed", { component: source.id, error });
      }
    }
    return true;
  }

  /** Whether everything the reaction accepted is durable now. */
  async #flush(instance: Instance, deadline: () => number): Promise<boolean> {
    const status = await this.#alone(instance, deadline, () => instance.flush());
    if (status === Status.OK) return true;
    if (status === null || status === Status.AGAIN) return false;
    if (status !== Status.FAILED) {
      const error = instance.error();
      this.#around.fatal({
        pipeline: this.#around.pipelineId,
        component: instance.id,
        plugin: instance.plugin,
        call: "flush",
        code: "Fatal",
        message: error || `it returned ${statusName(status)} without a message`,
      });
    } else {
      const error = instance.error();
      this.#around.log("warning", "Flush failed, it is tried again", {
        component: instance.id,
        error,
      });
    }
    return false;
  }

  /** Makes a call when no other is being made on the instance; null when the deadline passed before. */
  async #alone(
    instance: Instance,
    deadline: () => number,
    call: () => number | Promise<number>,
  ): Promise<number | null> {
    const node = this.#options.nodes.find((node) => node.instance === instance)!;
    node.claimed = true;
    try {
      while (node.busy) {
        if (this.#around.now() >= deadline()) return null;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
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
}
