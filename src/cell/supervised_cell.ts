import { Turns } from "../turns.ts";
import { type LastExit, spawnFailure } from "./blame.ts";
import { logCellError, logCellExit } from "./cell_log_lines.ts";
import type { ComponentPlace, PlannedCell } from "./cell_plan.ts";
import { type CellEnd, CellRun, type CellSurroundings } from "./cell_run.ts";
import { CallDesk, type CallRequest } from "./call_desk.ts";
import type { CellPlugin } from "./protocol.ts";
import { isFinal, type PipelineStatus, PipelineStatuses } from "./pipeline_statuses.ts";
import { phaseOf, type ReloadError, reloadError } from "./reload_error.ts";
import { ReloadRecord, type ReloadView } from "./reload_record.ts";
import type { CallMade } from "../component/call.ts";
import type { ComponentFailure, PipelineState } from "../pipeline/spec.ts";
import type { MetricReading } from "./recorder_reader.ts";
import type { ComponentView } from "./component_counters.ts";
import { Rest } from "./rest.ts";
import { RestartPolicy } from "./restart_policy.ts";
import { CellHistory } from "./cell_history.ts";

/** What a cell runs with. */
interface Work {
  plan: PlannedCell;
  /** By name, all that it may need. */
  plugins: ReadonlyMap<string, CellPlugin>;
}

/**
 * A cell through all its lives: starts it again after a crash, from where it was, and lets a successor take over while the
 * old one still works.
 */
export class SupervisedCell {
  #work: Work;
  readonly #surroundings: CellSurroundings;
  #policy: RestartPolicy;
  readonly #statuses: PipelineStatuses;
  readonly #turns = new Turns();
  readonly #reloads = new ReloadRecord();
  readonly #history = new CellHistory();
  readonly #desk = new CallDesk();
  #run: CellRun | undefined;
  #successor: CellRun | undefined;
  /** What the successor said before it took over. */
  #early: (() => void)[] = [];
  #life: Promise<void> | undefined;
  /** Resolves when the change under way is over. */
  #changing: Promise<void> | undefined;
  #stopping = false;
  #paused = false;
  readonly #rest = new Rest();
  #restarts = 0;
  #lastExit: LastExit | undefined;

  constructor(
    work: Work,
    surroundings: CellSurroundings,
    options: { onStatus: (pipeline: string) => void },
  ) {
    this.#work = work;
    this.#surroundings = surroundings;
    this.#statuses = new PipelineStatuses(work.plan, (id) => {
      const status = this.#statuses.get(id)!;
      this.#desk.note(id, status);
      if (status === "running" && this.#run !== undefined) this.#desk.open(this.#run);
      options.onStatus(id);
    });
    this.#desk.plan(work.plan.pipelines);
    this.#policy = new RestartPolicy(this.#settings.restart);
  }

  /** What it runs, or would run. */
  get plan(): PlannedCell {
    return this.#work.plan;
  }

  get plugins(): ReadonlyMap<string, CellPlugin> {
    return this.#work.plugins;
  }

  /** Whether it has a process, or will have one again. */
  get isAlive(): boolean {
    return this.#life !== undefined;
  }

  /** Starts it, unless it lives already. */
  start(): void {
    if (this.#life !== undefined) return;
    this.#stopping = false;
    this.#paused = false;
    this.#begin();
  }

  #begin(): void {
    this.#life = this.#live().catch((error: Error) => {
      logCellError(this.plan, `Cell "${this.plan.name}" is given up: ${error.message}`, {});
      this.#setActive("failed");
    }).finally(() => this.#life = undefined);
  }

  /** Stops it in order, with force after its `shutdown_timeout`; ends a reload. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#paused = false;
    if (this.#life !== undefined) this.#setActive("stopping");
    this.#rest.end();
    this.#successor?.abandon();
    this.#run?.stop();
    await this.#changing;
    await this.#life;
    this.#setActive("stopped");
  }

  /** Ends it at once, for good. */
  kill(): void {
    this.#stopping = true;
    this.#rest.end();
    this.#successor?.abandon();
    this.#run?.abandon();
  }

  /**
   * Lets a new process with `plan` and `plugins` take over while the present one works on, as "Hot reload" in
   * docs/architecture.md says. A cell that was stopped only keeps them for its next start. Resolves when the old process is gone.
   *
   * @throws {ReloadError} when the new one cannot load, create, restore or start: then the old one has gone on
   */
  replace(plan: PlannedCell, plugins: ReadonlyMap<string, CellPlugin>): Promise<void> {
    return this.#change(async () => {
      const works = !this.#stopping &&
        (this.#life !== undefined || this.#statuses.isAnyFinal);
      if (works && this.#unfinished(plan).length > 0) await this.#handOver({ plan, plugins });
      else this.#adopt({ plan, plugins });
    });
  }

  /**
   * Starts it as a reload would: resolves once it runs.
   *
   * @throws {ReloadError} when it cannot; it is stopped then
   */
  launch(): Promise<void> {
    return this.#change(async () => {
      this.#stopping = false;
      // Also what has completed or failed.
      this.#statuses.adopt(this.plan, this.plan.pipelines);
      await this.#handOver(this.#work);
    });
  }

  /**
   * Stops everything in order, but keeps the process and what it has loaded, until {@linkcode resume}.
   *
   * @throws {Error} when no process runs, or it ends while it pauses
   */
  pause(): Promise<void> {
    return this.#change(async () => {
      if (this.#paused) return;
      const run = await this.#settledRun();
      if (run === undefined) {
        throw new Error(`Cannot pause cell "${this.plan.name}": it does not run`);
      }
      this.#setActive("stopping");
      try {
        await run.pause();
      } catch (cause) {
        const { exit } = await run.ended;
        const why = exit?.message ?? "it was stopped meanwhile";
        throw new Error(`Cannot pause cell "${this.plan.name}": ${why}`, { cause });
      }
      this.#paused = true;
      this.#setActive("paused");
    });
  }

  /** Goes on after {@linkcode pause}. @throws {Error} when it cannot; it is restarted then, as after a crash */
  resume(): Promise<void> {
    return this.#change(async () => {
      if (!this.#paused) return;
      this.#paused = false;
      if (this.#run === undefined) return this.start();
      this.#setActive("starting");
      await this.#goOn(this.#run);
    });
  }

  /** Forgets that pipelines have completed or failed, so that a start runs them again; it must be stopped. */
  renew(): void {
    this.#policy = new RestartPolicy(this.#settings.restart);
    this.#statuses.adopt(this.plan, this.plan.pipelines);
  }

  /** Dead letters of the pipeline were marked to be offered again. One that does not run sees it when it starts. */
  replay(pipeline: string): void {
    this.#run?.replay(pipeline);
  }

  /** Calls the component with this key. @throws {CallError} when it comes to nothing */
  call(key: string, request: CallRequest): Promise<CallMade> {
    return this.#desk.call(key, request);
  }

  /** One sample. */
  tick(): void {
    this.#run?.tick();
    this.#successor?.tick();
  }

  setLogLevel(level: string): void {
    this.#run?.setLogLevel(level);
    this.#successor?.setLogLevel(level);
  }

  get restarts(): number {
    return this.#restarts;
  }

  get reloads(): Readonly<ReloadView> {
    return this.#reloads.view;
  }

  get lastExit(): LastExit | undefined {
    return this.#lastExit;
  }

  /** The present process; undefined when there is none. */
  get process(): Pick<CellRun, "pid" | "rss" | "startedAt" | "readyMs"> | undefined {
    return this.#run;
  }

  /** Whether the process is one of its own. */
  owns(pid: number): boolean {
    return this.#run?.pid === pid || this.#successor?.pid === pid;
  }

  status(pipeline: string): PipelineStatus {
    return this.#statuses.get(pipeline) ?? "disabled";
  }

  /** Why the pipeline failed, if a component said so. */
  failure(pipeline: string): ComponentFailure | undefined {
    return this.#statuses.failure(pipeline);
  }

  /** A component by the key of its place. */
  component(key: string): ComponentView {
    return this.#history.component(key, this.#run);
  }

  /** What plugins measure in the present process, each with the component's place. */
  metrics(): { place: ComponentPlace | undefined; metric: MetricReading }[] {
    return this.#run?.metrics() ?? [];
  }

  async #live(): Promise<void> {
    for (let first = true; !this.#stopping; first = false) {
      while (this.#changing !== undefined) await this.#changing;
      if (this.#stopping || this.#active().length === 0) break;
      if (this.#run === undefined) this.#setActive(first ? "starting" : "restarting");
      const { exit, uptimeMs } = await this.#runOnce();
      if (exit === undefined) break;
      this.#lastExit = exit;
      logCellExit(this.plan, exit);
      // It starts again when it is resumed.
      if (this.#paused) return;
      if (this.#stopping || this.#active().length === 0) break;
      const wait = this.#policy.next(uptimeMs);
      if (wait === undefined) return this.#giveUp();
      this.#restarts++;
      this.#setActive("restarting");
      await this.#rest.take(wait);
    }
    this.#setActive("stopped");
  }

  /** The life of the present process, or of a new one, and of its successors. */
  async #runOnce(): Promise<CellEnd> {
    try {
      this.#run ??= this.#spawn(this.#work, { pipelines: this.#active(), standby: false });
    } catch (error) {
      const exit = spawnFailure(error as Error, new Date());
      return { exit, culprit: undefined, uptimeMs: 0 };
    }
    for (;;) {
      const run: CellRun = this.#run;
      const end = await run.ended;
      while (this.#changing !== undefined) await this.#changing;
      // A successor may have taken its place.
      if (this.#run !== run) continue;
      this.#run = undefined;
      if (end.exit !== undefined) this.#history.noteCrash(run, end.exit);
      this.#history.keep(run);
      run.close();
      return end;
    }
  }

  #spawn(
    { plan, plugins }: Work,
    { pipelines, standby }: { pipelines: PlannedCell["pipelines"]; standby: boolean },
  ): CellRun {
    const run: CellRun = new CellRun({ ...plan, pipelines }, this.#surroundings, {
      plugins,
      resume: this.#history.resume,
      suspects: this.#history.suspects,
      standby,
      events: {
        onReady: () => {
          if (this.#run === run && this.#changing === undefined) this.#setActive("running");
        },
        onPipeline: (id, state, failure) => {
          if (this.#run === run) this.#take(id, state, failure);
          else if (this.#successor === run) this.#early.push(() => this.#take(id, state, failure));
        },
        onAnswer: (answer) => this.#desk.answered(answer),
      },
    });
    void run.ended.then(({ exit, culprit }) =>
      this.#desk.lost(run, { culprit, message: exit?.message ?? "it was stopped" })
    );
    return run;
  }

  #change<T>(action: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      const over = Promise.withResolvers<void>();
      this.#changing = over.promise;
      try {
        return await action();
      } finally {
        this.#changing = undefined;
        over.resolve();
        // What ended meanwhile was left to the change.
        if (!this.#stopping && this.#active().length === 0) this.#run?.stop();
      }
    });
  }

  /** The present process once it runs; undefined when there is none, or it has ended. */
  async #settledRun(): Promise<CellRun | undefined> {
    await this.#run?.settled();
    return this.#run?.isUp ? this.#run : undefined;
  }

  /** The way of every reload, see {@linkcode replace}. */
  async #handOver(work: Work): Promise<void> {
    const statuses = this.#statuses.copy();
    const old = this.#paused ? undefined : await this.#settledRun();
    this.#setActive("reloading");
    let waiting: "load" | "pause" | "start" = "load";
    let paused: number | undefined;
    try {
      this.#successor = this.#spawnSuccessor(work);
      await this.#successor.prepared();
      if (!this.#paused) {
        if (old !== undefined) {
          waiting = "pause";
          paused = performance.now();
          await this.#desk.drain(this.#settings.shutdownTimeoutMs);
          // When it ends instead, its successor goes on from the checkpoint it left.
          await old.pause().catch(() => old.ended);
          this.#history.keepPositions(old);
        }
        waiting = "start";
        await this.#successor.proceed(this.#history.resume);
      }
      if (this.#stopping) throw new Error("it is being stopped");
    } catch (error) {
      const problem = await this.#dropSuccessor(error as Error, { work, waiting });
      if (work !== this.#work) this.#reloads.failed(this.plan.name, problem);
      if (old === undefined || !await this.#goBack(old, paused !== undefined)) {
        this.#statuses.restore(statuses);
      }
      throw problem;
    }
    await this.#succeed(work, paused);
  }

  #spawnSuccessor(work: Work): CellRun {
    try {
      if (this.#stopping) throw new Error("it is being stopped");
      this.#early = [];
      return this.#spawn(work, { pipelines: this.#unfinished(work.plan), standby: true });
    } catch (cause) {
      throw new Error(spawnFailure(cause as Error, new Date()).message, { cause });
    }
  }

  /** The successor takes the place of the old process, which ends. */
  async #succeed(work: Work, paused: number | undefined): Promise<void> {
    const old = this.#run;
    const isReload = work !== this.#work;
    const gap = paused === undefined ? null : Math.round(performance.now() - paused);
    if (old !== undefined) this.#history.keep(old);
    this.#run = this.#successor;
    this.#successor = undefined;
    this.#adopt(work);
    this.#setActive(this.#paused ? "paused" : "running");
    for (const take of this.#early) take();
    if (isReload) this.#reloads.succeeded(this.plan.name, gap);
    this.#rest.end();
    if (this.#life === undefined) this.#begin();
    if (old === undefined) return;
    old.stop();
    const { exit } = await old.ended;
    if (exit !== undefined) {
      this.#lastExit = exit;
      logCellExit(this.plan, exit);
      this.#history.noteCrash(old, exit);
    }
    old.close();
  }

  /** Ends the successor, and tells why it did not succeed. */
  async #dropSuccessor(
    error: Error,
    { work, waiting }: { work: Work; waiting: "load" | "pause" | "start" },
  ): Promise<ReloadError> {
    const what = `${work === this.#work ? "start" : "reload"} cell "${this.plan.name}"`;
    const successor = this.#successor;
    if (successor === undefined) return reloadError(what, waiting, error.message);
    successor.abandon();
    const { exit } = await successor.ended;
    this.#successor = undefined;
    successor.close();
    const why = exit?.message ?? "it was stopped meanwhile";
    return reloadError(what, phaseOf(exit, waiting), why);
  }

  /** Lets the old process go on. False when it has ended: then it is restarted as after any crash. */
  async #goBack(old: CellRun, paused: boolean): Promise<boolean> {
    if (paused && !this.#stopping) return await this.#goOn(old).then(() => true, () => false);
    this.#setActive("running");
    return true;
  }

  async #goOn(run: CellRun): Promise<void> {
    try {
      this.#history.keepPositions(run);
      await run.proceed(this.#history.resume);
      this.#setActive("running");
    } catch (cause) {
      const { exit } = await run.ended;
      const why = exit?.message ?? "it was stopped meanwhile";
      throw new Error(`Cannot resume cell "${this.plan.name}": ${why}`, { cause });
    }
  }

  /** Makes `work` its own: what of it has something to do is no longer completed or failed. */
  #adopt(work: Work): void {
    const unfinished = this.#unfinished(work.plan);
    const before = this.#settings.restart;
    this.#work = work;
    this.#desk.plan(work.plan.pipelines);
    if (JSON.stringify(before) !== JSON.stringify(this.#settings.restart)) {
      this.#policy = new RestartPolicy(this.#settings.restart);
    }
    this.#statuses.adopt(work.plan, unfinished);
  }

  #take(id: string, state: PipelineState, failure: ComponentFailure | undefined): void {
    const present = this.#statuses.get(id);
    if (present === undefined || isFinal(present)) return;
    // A change tells itself what becomes of it.
    if (!isFinal(state) && (this.#stopping || this.#paused || this.#changing !== undefined)) return;
    if (state === "failed") {
      const { message = "it says not why", ...facts } = failure ?? {};
      logCellError(this.plan, `Pipeline "${id}" failed: ${message}`, { ...facts, pipeline: id });
    }
    this.#statuses.set(id, state, failure);
    // A process that has nothing left to do need not wait for the others.
    if (this.#active().length === 0 && this.#changing === undefined) this.#run?.stop();
  }

  #giveUp(): void {
    const { maxRestarts, windowMs } = this.#settings.restart;
    const why = `${maxRestarts} restarts within ${windowMs} ms`;
    logCellError(this.plan, `Cell "${this.plan.name}" is not started again: ${why}`, {});
    this.#setActive("failed");
  }

  /** Those of the first pipeline go for the process. */
  get #settings(): PlannedCell["pipelines"][number]["pipeline"] {
    return this.plan.pipelines[0]!.pipeline;
  }

  /** The pipelines that still have something to do. */
  #active(): PlannedCell["pipelines"] {
    return this.#statuses.active(this.plan);
  }

  /** The pipelines of `plan` that would have something to do: also failed ones, and completed ones that have changed. */
  #unfinished(plan: PlannedCell): PlannedCell["pipelines"] {
    return this.#statuses.unfinished(plan, this.plan);
  }

  #setActive(status: PipelineStatus): void {
    if (this.#stopping && status !== "stopping" && status !== "stopped" && status !== "failed") {
      return;
    }
    for (const { pipeline } of this.#active()) this.#statuses.set(pipeline.id, status);
  }
}
