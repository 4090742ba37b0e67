import type { CallName } from "../../ffi/recorder_layout.ts";
import { Status, statusName } from "../../ffi/layout.ts";
import type { ComponentFailure } from "./spec.ts";
import type { Instance } from "../component/component.ts";
import { malformation } from "../event/reader.ts";
import type { DeadLetterInit } from "../store/pipeline_store.ts";
import type { FlowBatch } from "./flow_batch.ts";
import type { Suspicion } from "./suspicion.ts";

/** A component that batches are given to. */
export interface Consumer {
  /** Takes over one of the batch's references. */
  offer(batch: FlowBatch): void;
}

/** What nodes need of the pipeline they are in. */
export interface Surroundings {
  readonly pipelineId: string;
  readonly strict: boolean;
  /** Milliseconds; only differences mean something. */
  now(): number;
  /** The time of day, in milliseconds since 1970. */
  time(): number;
  /** Has `node.resume` called soon. */
  makeReady(node: Node): void;
  /** A result came in off the event loop. */
  interrupt(): void;
  /** The component is beyond repair: the cell ends. */
  fatal(failure: ComponentFailure): void;
  /** The pipeline stops for good and keeps what is under way unaccepted. */
  giveUp(failure: ComponentFailure): void;
  log(level: "warning" | "error" | "info", message: string, fields: Record<string, unknown>): void;
  /** Keeps a record that was refused for good, with the next checkpoint. */
  deadLetter(letter: DeadLetterInit): void;
  /** A source's id by its number. */
  sourceId(number: number): string;
  /** Nothing is suspected of having crashed the cell any more: short cuts may be taken again. */
  calm(): void;
  count(index: number, counter: "dropped" | "retries" | "eventsIn" | "bytesIn", add: number): void;
}

/** Waits that double from `first` to `last` ms until something happens. */
export class Backoff {
  #next: number;

  constructor(readonly first: number, readonly last: number, readonly multiplier: number = 2) {
    this.#next = first;
  }

  next(): number {
    const wait = this.#next;
    this.#next = Math.min(this.#next * this.multiplier, this.last);
    return wait;
  }

  reset(): void {
    this.#next = this.first;
  }
}

/** A component in its pipeline: decides when it is called and what its statuses mean. */
export abstract class Node {
  readonly instance: Instance;
  protected readonly around: Surroundings;
  /** A call is being made off the event loop. */
  busy = false;
  /** Somebody waits to make a call of another kind, or the cell ends over a failure: no more of the usual ones begin. */
  claimed = false;
  /** In the list of nodes to resume. */
  queuedForResume = false;
  /** When to resume, in the pipeline's milliseconds. */
  dueAt = Infinity;
  /** What it may have crashed on. */
  suspicion: Suspicion | null = null;

  constructor(instance: Instance, around: Surroundings) {
    this.instance = instance;
    this.around = around;
  }

  /** Goes on where it had to wait. */
  abstract resume(): void;
  /** The component asked for a call. */
  abstract wake(): void;
  /** Whether it holds batches. */
  abstract get idle(): boolean;
  /** Batches that wait before it. */
  abstract get queued(): number;
  abstract free(): void;

  get id(): string {
    return this.instance.id;
  }

  /** Hands a status on, at once or when it comes; `then` sees no more of it once the pipeline has ended. */
  protected settle(result: number | Promise<number>, then: (status: number) => void): void {
    if (typeof result === "number") return then(result);
    this.busy = true;
    result.then((status) => {
      this.busy = false;
      then(status);
      this.around.makeReady(this);
      this.around.interrupt();
    }, (error) => {
      this.busy = false;
      this.fail("Fatal", "process", String(error));
    });
  }

  protected failure(code: string, call: CallName, message: string): ComponentFailure {
    const { id, plugin } = this.instance;
    return { pipeline: this.around.pipelineId, component: id, plugin, call, code, message };
  }

  protected fail(code: string, call: CallName, message: string): void {
    this.claimed = true;
    this.around.fatal(this.failure(code, call, message));
  }

  /** Ends the cell over a status that ends it, or that the call may not return. */
  protected failStatus(call: CallName, status: number, error = this.instance.error()): void {
    this.fail(
      "Fatal",
      call,
      status === Status.FATAL
        ? error || "it returned FATAL without a message"
        : `it returned ${statusName(status)}, which "${call}" may not return${
          error && `: ${error}`
        }`,
    );
  }

  /** Whether what this producer wrote can be handed on; ends the cell otherwise. */
  protected sound(batch: FlowBatch, call: CallName): boolean {
    const fault = batch.fault() || (this.around.strict ? malformation(batch) : "");
    if (fault === "") return true;
    this.fail("MalformedBatch", call, `it wrote a malformed batch: ${fault}`);
    return false;
  }

  /** Ends the cell over a malformed batch that this component was given. */
  protected failProducer(batch: FlowBatch, fault: string): void {
    this.claimed = true;
    const { producer } = rootOf(batch).owner;
    const call = producer?.instance.kind === "source" ? "poll" : "process";
    producer?.fail("MalformedBatch", call, `it wrote a malformed batch: ${fault}`);
  }
}

/** The batch itself that a window shows. */
export function rootOf(batch: FlowBatch): FlowBatch {
  let at = batch;
  while (at.base !== null) at = at.base;
  return at;
}

/** Gives a batch to all consumers of an output. `references` was not set before. */
export function dispatch(batch: FlowBatch, consumers: readonly Consumer[]): void {
  const count = consumers.length;
  batch.references = count;
  batch.shared = count > 1;
  for (let i = 0; i < count; i++) consumers[i]!.offer(batch);
}
