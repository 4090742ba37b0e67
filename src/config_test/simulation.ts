import type { ComponentFailure, PipelineState } from "../pipeline/spec.ts";
import { Pipeline, type PipelineOptions } from "../pipeline/pipeline.ts";
import type { DeadLetterInit } from "../store/pipeline_store.ts";
import type { Injector } from "./stand_ins.ts";

/** Turns without rest after which a pipeline is taken to go in circles. */
const MOST_TURNS = 1_000_000;
/** Turns after which an end that does not come is one that waits. */
const PATIENCE = 50;

/** A time that only moves when it is told to. */
export class VirtualClock {
  /** Milliseconds since the test began. */
  elapsed = 0;
  readonly #start: number;

  /** @param start milliseconds since 1970 */
  constructor(start: number) {
    this.#start = start;
  }

  /** Milliseconds since 1970. */
  get time(): number {
    return this.#start + this.elapsed;
  }
}

/** A pipeline at a time that only moves when nothing else does. */
export class Simulation {
  readonly #clock: VirtualClock;
  readonly #injectors: readonly Injector[];
  readonly #pipeline: Pipeline;
  #failure: ComponentFailure | undefined;

  constructor(
    options: Omit<PipelineOptions, "interrupt" | "onState" | "onFatal">,
    around: {
      clock: VirtualClock;
      injectors: readonly Injector[];
      onLetter: (letter: DeadLetterInit) => void;
    },
  ) {
    const { clock, onLetter } = around;
    const failed = (failure: ComponentFailure | undefined) => this.#failure ??= failure;
    this.#clock = clock;
    this.#injectors = around.injectors;
    const VirtualPipeline = class extends Pipeline {
      override now(): number {
        return clock.elapsed;
      }
      override time(): number {
        return clock.time;
      }
      override giveUp(failure: ComponentFailure): void {
        failed(failure);
      }
      override deadLetter(letter: DeadLetterInit): void {
        onLetter(letter);
      }
    };
    this.#pipeline = new VirtualPipeline({
      ...options,
      interrupt: () => {},
      onState: (_: PipelineState, failure) => failed(failure),
      onFatal: failed,
    });
  }

  /** Why the pipeline is at its end, if a component is beyond repair. */
  get failure(): ComponentFailure | undefined {
    return this.#failure;
  }

  /** Hands on what came in off the event loop. */
  completed(...args: Parameters<Pipeline["completed"]>): void {
    this.#pipeline.completed(...args);
  }

  /** @throws {ComponentError} when a component cannot be brought up */
  async start(): Promise<void> {
    await this.#pipeline.create();
    await this.#pipeline.start();
    await this.settle();
  }

  /** Does everything that can be done without the time moving on. */
  async settle(): Promise<void> {
    for (let calm = 0; calm < 2 && !this.#over;) {
      const moved = this.#turn();
      if (!moved && !this.#pipeline.calling && this.#injectors.every(({ idle }) => idle)) return;
      calm = moved || this.#pipeline.calling ? 0 : calm + 1;
      await turn();
    }
  }

  /** Lets time pass, from one thing that is due to the next. */
  async advance(ms: number): Promise<void> {
    const clock = this.#clock;
    const end = clock.elapsed + ms;
    for (;;) {
      await this.settle();
      if (this.#over) return;
      const next = this.#pipeline.service();
      if (next > end) break;
      clock.elapsed = Math.max(next, clock.elapsed);
      if (next <= clock.elapsed && clock.elapsed >= end) break;
    }
    clock.elapsed = end;
    await this.settle();
  }

  /** Lets the sources end, as those do that have nothing more to give. */
  async end(): Promise<void> {
    for (const injector of this.#injectors) injector.end();
    for (let turns = 1; !this.#over; turns++) {
      this.#turn();
      const next = this.#pipeline.service();
      await turn();
      // What waits, such as for a retry, is waited for.
      if (turns >= PATIENCE && !this.#pipeline.calling && next !== Infinity) {
        this.#clock.elapsed = Math.max(next, this.#clock.elapsed);
      }
    }
    if (this.#failure === undefined) await this.#pipeline.settled;
  }

  get #over(): boolean {
    return this.#failure !== undefined || this.#pipeline.ended;
  }

  /** Whether anything happened. */
  #turn(): boolean {
    let moved = false;
    for (let turns = 0; turns < MOST_TURNS; turns++) {
      if (!this.#pipeline.step()) {
        this.#pipeline.service();
        if (!this.#pipeline.step()) return moved;
      }
      moved = true;
    }
    throw new Error("Cannot go on: the pipeline does not come to rest");
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
