import type { ResolvedPipeline } from "../config/resolved.ts";
import { OrphanReaper } from "./orphan_reaper.ts";
import { planCells } from "./cell_plan.ts";
import { type CellSurroundings, TICK_MS } from "./cell_run.ts";
import { overallStatus, type PipelineView, viewPipeline } from "./pipeline_view.ts";
import type { CellPlugin } from "./protocol.ts";
import type { MetricReading } from "./recorder_reader.ts";
import { type Executable, prepareExecutable } from "./run_directory.ts";
import { type SocketFolder, socketFolder } from "./socket_folder.ts";
import { type PipelineStatus, SupervisedCell } from "./supervised_cell.ts";

/** What a host runs. */
export interface SupervisorOptions {
  /** Absolute path of data_dir, which must exist. */
  dataDirectory: string;
  /** Folder of all plugin copies. */
  storeDirectory: string;
  pipelines: ResolvedPipeline[];
  /** By name; all that enabled pipelines use, but not the built-in one. */
  plugins: Map<string, CellPlugin>;
  /** Absolute paths of libraries that cells load before plugins. */
  preload: string[];
  logLevel: string;
  /** Build id of this program; cells must have the same. */
  build: string;
  /** Takes what pipelines print. @default standard output */
  print?: (text: string) => Promise<void>;
  /** Told of each change of a pipeline's status. */
  onStatus?: (pipeline: string, status: PipelineStatus) => void;
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
  readonly #cells: SupervisedCell[];
  readonly #statuses = new Map<string, PipelineStatus>();
  readonly #allCompleted = Promise.withResolvers<void>();
  #timer: number | undefined;
  #reaper: OrphanReaper | undefined;

  private constructor(options: SupervisorOptions, executable: Executable) {
    this.#options = options;
    this.#executable = executable;
    this.#sockets = socketFolder(options.dataDirectory);
    const { build, storeDirectory, plugins, preload, logLevel, print } = options;
    this.#surroundings = {
      executable,
      build,
      sockets: this.#sockets,
      storeDirectory,
      plugins,
      preload,
      logLevel,
      print: print ?? standardOutput(),
    };
    this.#cells = planCells(options.pipelines, options.dataDirectory).map((plan) =>
      new SupervisedCell(plan, this.#surroundings, {
        onStatus: (pipeline) => this.#changed(pipeline),
      })
    );
    for (const { id } of options.pipelines) this.#statuses.set(id, this.#status(id));
  }

  /** Makes everything that cells need, but starts none. @throws {Error} when the data folder cannot be used */
  static async create(options: SupervisorOptions): Promise<Supervisor> {
    return new Supervisor(options, await prepareExecutable(options.dataDirectory, options.build));
  }

  /** Starts all cells. */
  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    if (Deno.pid === 1) {
      this.#reaper ??= new OrphanReaper((pid) =>
        this.#cells.some((cell) => cell.process?.pid === pid)
      );
    }
    for (const cell of this.#cells) cell.start();
    this.#checkCompleted();
  }

  /** Stops all cells side by side, each in order and within its `shutdown_timeout`; then nothing is left of them. */
  async stop(): Promise<void> {
    await Promise.all(this.#cells.map((cell) => cell.stop()));
    clearInterval(this.#timer);
    this.#reaper?.close();
    this.#sockets.remove();
    this.#executable.release();
  }

  /** Ends all cells at once. What was in flight comes again after the next start. */
  kill(): void {
    for (const cell of this.#cells) cell.kill();
  }

  /** Resolves when every enabled pipeline is completed or failed. */
  whenAllCompleted(): Promise<void> {
    return this.#allCompleted.promise;
  }

  /** All pipelines in the order of the configuration, as the API shows them. */
  pipelines(): PipelineView[] {
    return this.#options.pipelines.map((pipeline) =>
      viewPipeline(pipeline, this.#cellsOf(pipeline.id))
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

  #tick(): void {
    for (const cell of this.#cells) cell.tick();
  }

  #cellsOf(pipeline: string): SupervisedCell[] {
    return this.#cells.filter(({ plan }) =>
      plan.pipelines.some((member) => member.pipeline.id === pipeline)
    );
  }

  #status(pipeline: string): PipelineStatus {
    return overallStatus(pipeline, this.#cellsOf(pipeline));
  }

  #changed(pipeline: string): void {
    const status = this.#status(pipeline);
    if (this.#statuses.get(pipeline) === status) return;
    this.#statuses.set(pipeline, status);
    this.#options.onStatus?.(pipeline, status);
    this.#checkCompleted();
  }

  #checkCompleted(): void {
    const done = [...this.#statuses.values()].every((status) =>
      status === "completed" || status === "failed" || status === "disabled"
    );
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
