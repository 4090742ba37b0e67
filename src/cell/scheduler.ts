import { setImmediate } from "node:timers";
import { Status } from "../../ffi/layout.ts";
import type { Call, CallMade } from "../component/call.ts";
import type { Completion, Instance } from "../component/component.ts";
import type { Pipeline, PipelineOptions } from "../pipeline/pipeline.ts";
import type { CellServices } from "./assembly.ts";
import type { Completions } from "./completions.ts";
import { Health } from "../../ffi/flight_recorder.ts";
import type { Sleeper } from "./sleeper.ts";

/** Turns of all pipelines before the clock is looked at. */
const TURNS = 4;
/** How long the event loop is kept from other work, in ms. */
const SLICE = 8;
/**
 * Slices after the host has sent a message behind which a timer is waited for: only then does the runtime look at once for what has
 * come. After setImmediate() it does so every 61st time, which can be seconds; but that costs microseconds, a timer a millisecond.
 */
const LISTENING = 8;
/** The longest sleep, in ms, so that the heartbeat goes on. */
const LONGEST_SLEEP = 250;
/** Milliseconds between two questions for health. */
const HEALTH_INTERVAL = 2000;

type Hooks = Pick<PipelineOptions, "interrupt" | "onState">;

/** What a cell runs: a pipeline, or a service. */
export type Unit = Pick<
  Pipeline,
  | "pipelineId"
  | "ended"
  | "settled"
  | "woken"
  | "create"
  | "start"
  | "discard"
  | "stop"
  | "step"
  | "service"
  | "completed"
  | "call"
  | "replayLetters"
  | "healthy"
  | "ask"
>;

/** Gives the pipelines of a cell their turns; sleeps when none has anything to do. */
export class Scheduler {
  readonly #services: CellServices;
  readonly #pipelines: Unit[] = [];
  readonly #sleeper: Sleeper;
  readonly #completions: Completions;
  /** Messages that the host had sent when this was last looked at, and slices to listen behind. */
  #messages = 0;
  #listening = 0;
  #nextHealth = 0;
  #asking = false;
  #wellness = new Map<number, string>();

  constructor(services: CellServices) {
    this.#services = services;
    this.#sleeper = services.sleeper;
    this.#completions = services.completions;
  }

  add(make: (hooks: Hooks) => Unit): void {
    const pipeline: Unit = make({
      interrupt: () => this.interrupt(),
      onState: (state, failure) => {
        const id = pipeline.pipelineId;
        const message = { type: "pipeline", id, state, ...(failure && { failure }) } as const;
        this.#services.send(message).catch(() => {});
        this.interrupt();
      },
    });
    this.#pipelines.push(pipeline);
  }

  /** Creates every component. */
  async create(): Promise<void> {
    for (const pipeline of this.#pipelines) await pipeline.create();
  }

  /** Starts every component from the last checkpoint. */
  async start(): Promise<void> {
    for (const pipeline of this.#pipelines) await pipeline.start();
  }

  /** Dead letters of a pipeline were marked to be offered again. */
  replayLetters(id: string): void {
    for (const pipeline of this.#pipelines) {
      if (pipeline.pipelineId === id) pipeline.replayLetters();
    }
  }

  /** Runs until every pipeline has ended and is taken down. */
  async run(): Promise<void> {
    while (!this.#pipelines.every((pipeline) => pipeline.ended)) {
      this.#services.recorder.beat();
      const moved = this.#turns();
      const next = this.#service();
      if (moved) await this.#yield();
      else await this.#sleeper.sleep(Math.min(next - performance.now(), LONGEST_SLEEP), this.#busy);
    }
    await this.#settled();
  }

  /** Destroys what was created, where it never ran. */
  async discard(): Promise<void> {
    for (const pipeline of this.#pipelines) await pipeline.discard();
  }

  /** Stops every pipeline in order, within `ms`. */
  async stop(ms: number): Promise<void> {
    // What is still draining near the end is given up in order, rather than killed in the middle.
    const deadline = performance.now() + ms * 0.8;
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.stop(deadline)));
  }

  interrupt(): void {
    this.#sleeper.interrupt();
  }

  completed(index: number, completion: Completion): void {
    for (const pipeline of this.#pipelines) {
      if (pipeline.completed(index, completion)) return;
    }
  }

  /** Makes a call; undefined when nothing has that place. */
  call(place: number, call: Call): Promise<CallMade> | undefined {
    for (const pipeline of this.#pipelines) {
      const made = pipeline.call(place, call);
      if (made !== undefined) return made;
    }
    return undefined;
  }

  /** Polls for a slice of time; whether there may be more to do. */
  #turns(): boolean {
    const until = performance.now() + SLICE;
    const pipelines = this.#pipelines;
    for (;;) {
      let moved = false;
      for (let turn = 0; turn < TURNS; turn++) {
        moved = false;
        for (let i = 0; i < pipelines.length; i++) {
          if (pipelines[i]!.step()) moved = true;
        }
        if (!moved) return false;
      }
      if (this.#busy()) return true;
      if (performance.now() >= until) return moved;
    }
  }

  /** Lets messages, timers and results come in between two slices. */
  #yield(): Promise<void> {
    const { messages } = this.#services.recorder;
    if (messages !== this.#messages) {
      this.#messages = messages;
      this.#listening = LISTENING;
    }
    if (this.#listening === 0) return new Promise((resolve) => setImmediate(resolve));
    this.#listening--;
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  #service(): number {
    this.#completions.drain((index, completion) => this.completed(index, completion));
    let next = Infinity;
    for (const pipeline of this.#pipelines) next = Math.min(next, pipeline.service());
    const now = performance.now();
    if (now >= this.#nextHealth && !this.#asking) {
      this.#asking = true;
      void this.#askHealth().finally(() => {
        this.#asking = false;
        this.#nextHealth = performance.now() + HEALTH_INTERVAL;
      });
    }
    return Math.min(next, this.#nextHealth);
  }

  #busy = (): boolean =>
    this.#completions.ready || this.#pipelines.some((pipeline) => pipeline.woken);

  async #askHealth(): Promise<void> {
    for (const pipeline of this.#pipelines) {
      for (const instance of pipeline.healthy()) {
        await this.#note(instance, await pipeline.ask(instance));
      }
    }
  }

  async #note(instance: Instance, status: number): Promise<void> {
    const { index } = instance;
    const well = status === Status.OK;
    const said = instance.error();
    const message = well ? "" : said || "not well";
    this.#services.recorder.setHealth(index, well ? Health.WELL : Health.UNWELL);
    if ((this.#wellness.get(index) ?? "") === message) return;
    this.#wellness.set(index, message);
    await this.#services.send({ type: "health", component: index, message });
  }

  /** Waits until what pipelines do after their end is done. */
  async #settled(): Promise<void> {
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.settled));
  }
}
