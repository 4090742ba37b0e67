import { logText } from "../log.ts";
import type { CallMade } from "../component/call.ts";
import type { ResolvedPipeline, ServiceSettings } from "../config/resolved.ts";
import { CallError, type CallRequest } from "./call_desk.ts";
import { OrphanReaper } from "./orphan_reaper.ts";
import { Turns } from "../turns.ts";
import { planCells, type PlannedCell } from "./cell_plan.ts";
import { type CellDiff, diffCells } from "./cell_diff.ts";
import { type CellSurroundings, TICK_MS } from "./cell_run.ts";
import { overallStatus, type PipelineView, viewPipeline } from "./pipeline_view.ts";
import type { CellPlugin } from "./protocol.ts";
import type { MetricReading } from "./recorder_reader.ts";
import { ReloadError } from "./reload_error.ts";
import { type Executable, prepareExecutable } from "./run_directory.ts";
import { type SocketFolder, socketFolder } from "./socket_folder.ts";
import type { PipelineStatus } from "./pipeline_statuses.ts";
import { StandardInput } from "./standard_input.ts";
import { SupervisedCell } from "./supervised_cell.ts";

/** What cells run. */
export interface Workload {
  pipelines: ResolvedPipeline[];
  /** By name; all that enabled pipelines use, but not the built-in one. */
  plugins: ReadonlyMap<string, CellPlugin>;
}

/** What became of the cells, by their names. */
export interface Applied {
  added: string[];
  removed: string[];
  changed: string[];
  same: string[];
}

/** What a host runs. */
export interface SupervisorOptions extends Workload {
  /** Absolute path of data_dir, which must exist. */
  dataDirectory: string;
  /** Folder of all plugin copies. */
  storeDirectory: string;
  /** Absolute paths of libraries that cells load before plugins. */
  preload: string[];
  logLevel: string;
  /** Build id of this program; cells must have the same. */
  build: string;
  /** Takes what pipelines print. @default standard output */
  print?: (text: string) => Promise<void>;
  /** Told of each change of a pipeline's status. */
  onStatus?: (pipeline: string, status: PipelineStatus) => void;
  /** Whether a pipeline is not to be started: its whole cell is not then. Asked whenever a cell would be started. */
  isHeld?: (pipeline: ResolvedPipeline) => boolean;
}

/** A plugin's metric, with where it was measured. */
export interface PluginMetric extends Omit<MetricReading, "component"> {
  cell: string;
  /** Undefined when the plugin kept it outside of any component. */
  pipeline: string | undefined;
  partition: number | undefined;
  component: string | undefined;
}

/** All cells of a host. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #executable: Executable;
  readonly #sockets: SocketFolder;
  readonly #surroundings: CellSurroundings;
  #workload: Workload;
  #cells: SupervisedCell[];
  readonly #turns = new Turns();
  #stopped = false;
  readonly #statuses = new Map<string, PipelineStatus>();
  readonly #allCompleted = Promise.withResolvers<void>();
  #timer: number | undefined;
  #nextCall = 0;
  #reaper: OrphanReaper | undefined;

  private constructor(options: SupervisorOptions, executable: Executable) {
    this.#options = options;
    this.#executable = executable;
    this.#sockets = socketFolder(options.dataDirectory);
    const { build, storeDirectory, pipelines, plugins, preload, logLevel, print } = options;
    this.#workload = { pipelines, plugins };
    this.#surroundings = {
      executable,
      build,
      sockets: this.#sockets,
      storeDirectory,
      preload,
      logLevel,
      print: print ?? standardOutput(),
      standardInput: new StandardInput(this.#sockets),
    };
    this.#cells = planCells(pipelines, options.dataDirectory).map((plan) =>
      this.#cell(plan, plugins)
    );
    for (const { id } of pipelines) this.#statuses.set(id, this.#status(id));
  }

  /** Makes everything that cells need, but starts none. @throws {Error} when the data folder cannot be used */
  static async create(options: SupervisorOptions): Promise<Supervisor> {
    return new Supervisor(options, await prepareExecutable(options.dataDirectory, options.build));
  }

  /** Starts all cells. */
  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    if (Deno.pid === 1) {
      this.#reaper ??= new OrphanReaper((pid) => this.#cells.some((cell) => cell.owns(pid)));
    }
    for (const cell of this.#cells) if (!this.#isHeld(cell)) cell.start();
    this.#checkCompleted();
  }

  /** Stops all cells side by side, each in order and within its `shutdown_timeout`; then nothing is left of them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#cells.map((cell) => cell.stop()));
    clearInterval(this.#timer);
    this.#reaper?.close();
    this.#surroundings.standardInput.close();
    this.#sockets.remove();
    this.#executable.release();
  }

  /** Ends all cells at once. What was in flight comes again after the next start. */
  kill(): void {
    this.#stopped = true;
    for (const cell of this.#cells) cell.kill();
  }

  /** Resolves when every enabled pipeline is completed or failed. */
  whenAllCompleted(): Promise<void> {
    return this.#allCompleted.promise;
  }

  /** All pipelines in the order of the configuration, as the API shows them. */
  pipelines(): PipelineView[] {
    return this.#view((pipeline) => pipeline.service === undefined);
  }

  /** The same with services and hooks, each by the id that cells know it by. */
  units(): PipelineView[] {
    return this.#view(() => true);
  }

  /** All services and hooks. */
  services(): (ResolvedPipeline & { service: ServiceSettings })[] {
    return this.#workload.pipelines.flatMap((one) =>
      one.service === undefined ? [] : [{ ...one, service: one.service }]
    );
  }

  /**
   * Calls a service or hook by its id, or the source `component` of a pipeline, of which any partition will do.
   *
   * @throws {CallError} when it comes to nothing
   */
  async call(id: string, request: CallRequest, component?: string): Promise<CallMade> {
    const cells = this.cellsOf(id);
    const cell = cells[this.#nextCall++ % Math.max(1, cells.length)];
    const member = cell?.plan.pipelines.find(({ pipeline }) => pipeline.id === id);
    if (cell === undefined || member === undefined) {
      throw new CallError("not_running", "it is disabled");
    }
    const own = component ?? member.pipeline.components[0]!.id;
    return await cell.call(`${id}/${member.partitionIndex}/${own}`, request);
  }

  #view(isShown: (pipeline: ResolvedPipeline) => boolean): PipelineView[] {
    return this.#workload.pipelines.filter(isShown).map((pipeline) =>
      viewPipeline(pipeline, this.cellsOf(pipeline.id))
    );
  }

  /** What plugins measure in the present processes. */
  metrics(): PluginMetric[] {
    return this.#cells.flatMap((cell) =>
      cell.metrics().map(({ place, metric }) => ({
        ...metric,
        cell: cell.plan.name,
        pipeline: place?.pipeline.id,
        partition: place?.partition,
        component: place?.component.id,
      }))
    );
  }

  /** Changes the level of what plugins log, now and after restarts. */
  setLogLevel(level: string): void {
    this.#surroundings.logLevel = level;
    for (const cell of this.#cells) cell.setLogLevel(level);
  }

  /**
   * Makes the cells run `next` in place of what they run, all of it or nothing: cells that are to run something else, or other
   * files of a plugin, or `force`d ones, are replaced by successors while they work on; those that are gone are stopped first,
   * new ones started. Others are not touched.
   *
   * @throws {ReloadError} when any part fails: then everything is as it was
   */
  apply(
    next: Workload,
    options: { force?: (plan: PlannedCell) => boolean } = {},
  ): Promise<Applied> {
    return this.#turns.take(() => this.#apply(next, options));
  }

  async #apply(
    next: Workload,
    { force = () => false }: { force?: (plan: PlannedCell) => boolean },
  ): Promise<Applied> {
    const change = diffCells(this.#cells, {
      next,
      dataDirectory: this.#options.dataDirectory,
      force,
    });
    const added = change.added.map((plan) => this.#cell(plan, next.plugins));
    const undo: (() => Promise<void>)[] = [];
    const before = this.#cells;
    this.#cells = [...before, ...added];
    try {
      for (const cell of change.removed) {
        this.#checkStopped();
        if (cell.isAlive) undo.push(() => Promise.resolve(cell.start()));
        await cell.stop();
      }
      for (const { cell, plan } of change.changed) {
        this.#checkStopped();
        const { plan: oldPlan, plugins } = cell;
        await cell.replace(plan, next.plugins);
        undo.push(() => cell.replace(oldPlan, plugins));
      }
      for (const cell of added) {
        this.#checkStopped();
        undo.push(() => cell.stop());
        if (!this.#isHeld(cell)) await cell.launch();
      }
    } catch (error) {
      for (const step of undo.reverse()) if (!this.#stopped) await this.#undo(step);
      if (!this.#stopped) this.#cells = before;
      throw error;
    }
    this.#finish(next, change);
    const names = (cells: { plan: PlannedCell }[]) => cells.map(({ plan }) => plan.name);
    return {
      added: names(added),
      removed: names(change.removed),
      changed: names(change.changed),
      same: names(change.same),
    };
  }

  #finish(next: Workload, { removed, order }: CellDiff<SupervisedCell>): void {
    this.#workload = next;
    const gone = new Set(removed);
    this.#cells = this.#cells.filter((cell) => !gone.has(cell))
      .sort((a, b) => order.indexOf(a.plan.name) - order.indexOf(b.plan.name));
    const ids = new Set(next.pipelines.map(({ id }) => id));
    for (const id of [...this.#statuses.keys()]) if (!ids.has(id)) this.#statuses.delete(id);
    for (const id of ids) this.#changed(id);
    this.#checkCompleted();
  }

  #checkStopped(): void {
    if (this.#stopped) throw new ReloadError("start", "Cannot reload: the host is stopping");
  }

  async #undo(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      // The cell has said so itself, and its restart policy goes on with it.
      const text = `Cannot put back what ran before: ${(error as Error).message}`;
      logText(["busbar", "host"], "error", { text, properties: {} });
    }
  }

  #cell(plan: PlannedCell, plugins: ReadonlyMap<string, CellPlugin>): SupervisedCell {
    return new SupervisedCell({ plan, plugins }, this.#surroundings, {
      onStatus: (pipeline) => this.#changed(pipeline),
    });
  }

  #tick(): void {
    for (const cell of this.#cells) cell.tick();
  }

  #isHeld({ plan }: SupervisedCell): boolean {
    const { isHeld = () => false } = this.#options;
    return plan.pipelines.some(({ pipeline }) => isHeld(pipeline));
  }

  /** The cells that run a pipeline, in the order of its partitions. */
  cellsOf(pipeline: string): SupervisedCell[] {
    return this.#cells.filter(({ plan }) =>
      plan.pipelines.some((member) => member.pipeline.id === pipeline)
    );
  }

  #status(pipeline: string): PipelineStatus {
    return overallStatus(pipeline, this.cellsOf(pipeline));
  }

  #changed(pipeline: string): void {
    const status = this.#status(pipeline);
    if (this.#statuses.get(pipeline) === status) return;
    this.#statuses.set(pipeline, status);
    this.#options.onStatus?.(pipeline, status);
    this.#checkCompleted();
  }

  #checkCompleted(): void {
    const done = this.#workload.pipelines.filter(({ service }) => service === undefined)
      .map(({ id }) => this.#statuses.get(id)!)
      .every((status) => status === "completed" || status === "failed" || status === "disabled");
    if (done) this.#allCompleted.resolve();
  }
}

/** Writes whole texts one after the other. Once nobody reads them any more, they are thrown away. */
function standardOutput(): (text: string) => Promise<void> {
  let last = Promise.resolve();
  return (text) =>
    last = last.then(async () => {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
    }).catch(() => {});
}
