import { logText } from "../log.ts";
import { type LastExit, spawnFailure } from "./blame.ts";
import type { ComponentPlace, PlannedCell } from "./cell_plan.ts";
import { CellRun, type CellSurroundings } from "./cell_run.ts";
import type { SourceState } from "../../ffi/flight_recorder.ts";
import type { ComponentFailure, PipelineState } from "../pipeline/spec.ts";
import type { ComponentReading, MetricReading } from "./recorder_reader.ts";
import { RestartPolicy } from "./restart_policy.ts";

/** How a pipeline fares; "disabled" is for those that no cell was made for. */
export type PipelineStatus =
  | "starting"
  | "running"
  | "restarting"
  | "stopping"
  | "stopped"
  | "completed"
  | "failed"
  | "disabled";

/** Counters that go on through restarts. */
export type Counters = Pick<
  ComponentReading,
  | "eventsIn"
  | "eventsOut"
  | "bytesIn"
  | "bytesOut"
  | "errors"
  | "dropped"
  | "retries"
>;

/** What a component does, or did last. */
export interface ComponentView extends Counters {
  health: number;
  healthMessage: string;
  state: number;
  queued: number;
  pending: number;
}

const COUNTERS = [
  "eventsIn",
  "eventsOut",
  "bytesIn",
  "bytesOut",
  "errors",
  "dropped",
  "retries",
] as const satisfies (keyof Counters)[];

const NOTHING: ComponentView = {
  eventsIn: 0,
  eventsOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  errors: 0,
  dropped: 0,
  retries: 0,
  health: 0,
  healthMessage: "",
  state: 0,
  queued: 0,
  pending: 0,
};

/** A cell through all its lives: starts it again after a crash, from where it was. */
export class SupervisedCell {
  readonly plan: PlannedCell;
  readonly #surroundings: CellSurroundings;
  readonly #onStatus: (pipeline: string) => void;
  readonly #policy: RestartPolicy;
  readonly #statuses = new Map<string, PipelineStatus>();
  readonly #failures = new Map<string, ComponentFailure>();
  readonly #totals = new Map<string, Counters>();
  readonly #resume = new Map<string, SourceState>();
  #run: CellRun | undefined;
  #life: Promise<void> | undefined;
  #stopping = false;
  #wait = Promise.withResolvers<void>();
  #restarts = 0;
  #lastExit: LastExit | undefined;

  constructor(
    plan: PlannedCell,
    surroundings: CellSurroundings,
    options: { onStatus: (pipeline: string) => void },
  ) {
    this.plan = plan;
    this.#surroundings = surroundings;
    this.#onStatus = options.onStatus;
    this.#policy = new RestartPolicy(plan.pipelines[0]!.pipeline.restart);
    for (const { pipeline } of plan.pipelines) this.#statuses.set(pipeline.id, "stopped");
  }

  /** Starts it, unless it lives already. */
  start(): void {
    if (this.#life !== undefined) return;
    this.#stopping = false;
    this.#wait = Promise.withResolvers<void>();
    this.#life = this.#live().catch((error: Error) => {
      this.#logError(`Cell "${this.plan.name}" is given up: ${error.message}`, {});
      this.#setActive("failed");
    }).finally(() => this.#life = undefined);
  }

  /** Stops it in order, with force after its `shutdown_timeout`. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#life !== undefined) this.#setActive("stopping");
    this.#wait.resolve();
    this.#run?.stop();
    await this.#life;
  }

  /** Ends it at once, for good. */
  kill(): void {
    this.#stopping = true;
    this.#wait.resolve();
    this.#run?.abandon();
  }

  /** One sample. */
  tick(): void {
    this.#run?.tick();
  }

  setLogLevel(level: string): void {
    this.#run?.setLogLevel(level);
  }

  get restarts(): number {
    return this.#restarts;
  }

  get lastExit(): LastExit | undefined {
    return this.#lastExit;
  }

  /** The present process; undefined when there is none. */
  get process(): Pick<CellRun, "pid" | "rss" | "startedAt" | "readyMs"> | undefined {
    return this.#run;
  }

  status(pipeline: string): PipelineStatus {
    return this.#statuses.get(pipeline) ?? "disabled";
  }

  /** Why the pipeline failed, if a component said so. */
  failure(pipeline: string): ComponentFailure | undefined {
    return this.#failures.get(pipeline);
  }

  /** A component by the key of its place. */
  component(key: string): ComponentView {
    const total = this.#totals.get(key);
    const run = this.#run;
    const index = run?.places.findIndex((place) => place.key === key) ?? -1;
    if (run === undefined || index < 0) return { ...NOTHING, ...total };
    const { health, state, queued, pending, ...reading } = run.component(index);
    return {
      ...sum(total, reading),
      health,
      healthMessage: run.healthMessages.get(index) ?? "",
      state,
      queued,
      pending,
    };
  }

  /** What plugins measure in the present process, each with the component's place. */
  metrics(): { place: ComponentPlace | undefined; metric: MetricReading }[] {
    const run = this.#run;
    if (run === undefined) return [];
    return run.reader.metrics().map((metric) => ({
      place: metric.component === undefined ? undefined : run.places[metric.component],
      metric,
    }));
  }

  async #live(): Promise<void> {
    for (let first = true; !this.#stopping; first = false) {
      const pipelines = this.#active();
      if (pipelines.length === 0) return;
      this.#setActive(first ? "starting" : "restarting");
      const { exit, uptimeMs } = await this.#runOnce({ ...this.plan, pipelines });
      if (exit === undefined) break;
      this.#lastExit = exit;
      this.#logExit(exit);
      if (this.#stopping || this.#active().length === 0) break;
      const wait = this.#policy.next(uptimeMs);
      if (wait === undefined) return this.#giveUp();
      this.#restarts++;
      this.#setActive("restarting");
      await this.#pause(wait);
    }
    this.#setActive("stopped");
  }

  async #runOnce(plan: PlannedCell): Promise<{ exit: LastExit | undefined; uptimeMs: number }> {
    let run: CellRun;
    try {
      run = new CellRun(plan, this.#surroundings, {
        resume: this.#resume,
        events: {
          onReady: () => this.#setActive("running"),
          onPipeline: (id, state, failure) => this.#take(id, state, failure),
        },
      });
    } catch (error) {
      return { exit: spawnFailure(error as Error, new Date()), uptimeMs: 0 };
    }
    this.#run = run;
    const end = await run.ended;
    this.#run = undefined;
    for (const [key, state] of run.sourceStates()) this.#resume.set(key, state);
    for (const [index, { key }] of run.places.entries()) {
      this.#totals.set(key, sum(this.#totals.get(key), run.component(index)));
    }
    run.close();
    return end;
  }

  #take(id: string, state: PipelineState, failure: ComponentFailure | undefined): void {
    const present = this.#statuses.get(id);
    if (present === undefined || isFinal(present)) return;
    if (this.#stopping && state === "running") return;
    if (failure !== undefined) this.#failures.set(id, failure);
    if (state === "failed") {
      const { message = "it says not why", ...facts } = failure ?? {};
      this.#logError(`Pipeline "${id}" failed: ${message}`, { ...facts, pipeline: id });
    }
    this.#set(id, state);
    // A process that has nothing left to do need not wait for the others.
    if (this.#active().length === 0) this.#run?.stop();
  }

  #giveUp(): void {
    const { maxRestarts, windowMs } = this.plan.pipelines[0]!.pipeline.restart;
    this.#logError(
      `Cell "${this.plan.name}" is not started again: ${maxRestarts} restarts within ${windowMs} ms`,
      {},
    );
    this.#setActive("failed");
  }

  async #pause(ms: number): Promise<void> {
    const timer = setTimeout(() => this.#wait.resolve(), ms);
    await this.#wait.promise;
    clearTimeout(timer);
    if (!this.#stopping) this.#wait = Promise.withResolvers<void>();
  }

  /** The pipelines that still have something to do. */
  #active(): PlannedCell["pipelines"] {
    return this.plan.pipelines.filter(({ pipeline }) => !isFinal(this.#statuses.get(pipeline.id)!));
  }

  #setActive(status: PipelineStatus): void {
    if (this.#stopping && status === "running") return;
    for (const { pipeline } of this.#active()) this.#set(pipeline.id, status);
  }

  #set(id: string, status: PipelineStatus): void {
    if (this.#statuses.get(id) === status) return;
    this.#statuses.set(id, status);
    this.#onStatus(id);
  }

  #logExit({ message, ...facts }: LastExit): void {
    const pipeline = facts.pipeline ?? this.plan.pipelines[0]?.pipeline.id;
    this.#logError(`Cell "${this.plan.name}" ended: ${message}`, { ...facts, pipeline });
  }

  #logError(text: string, properties: Record<string, unknown>): void {
    const cell = this.plan.name;
    logText(["busbar", "cell"], "error", { text, properties: { cell, ...properties } });
  }
}

function isFinal(status: PipelineStatus): boolean {
  return status === "completed" || status === "failed";
}

function sum(a: Counters | undefined, b: Counters): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, (a?.[name] ?? 0) + b[name]])) as Record<
    typeof COUNTERS[number],
    number
  >;
}
