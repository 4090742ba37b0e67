import { logText } from "../log.ts";
import type { MemoryFile } from "../../ffi/memory_file.ts";
import { blame, deadlyPlace, type KillReason, type LastExit } from "./blame.ts";
import { CellProcess, type ExitStatus } from "./cell_process.ts";
import {
  type ComponentPlace,
  componentPlaces,
  type PlannedCell,
  sourcePlaces,
} from "./cell_plan.ts";
import {
  announceMessage,
  createRecorder,
  planRecorder,
  type SourceState,
  writeSourceState,
} from "../../ffi/flight_recorder.ts";
import { HangWatch } from "./hang_watch.ts";
import { LimitWatch } from "./limits.ts";
import { isHeld } from "./process_facts.ts";
import { LogRing } from "./log_ring.ts";
import type { CallTarget } from "./call_desk.ts";
import type {
  AnswerMessage,
  CallMessage,
  CellMessage,
  CellPlugin,
  HostMessage,
} from "./protocol.ts";
import type { ComponentFailure, PipelineState, Suspect } from "../pipeline/spec.ts";
import { RecorderLogs } from "./recorder_logs.ts";
import type { StandardInput } from "./standard_input.ts";
import { type ComponentReading, type MetricReading, RecorderReader } from "./recorder_reader.ts";
import type { Executable } from "./run_directory.ts";
import type { SocketFolder } from "./socket_folder.ts";
import { RecorderSourceLayout } from "../../ffi/recorder_layout.ts";

/** Between two samples of a cell, in ms. */
export const TICK_MS = 250;

/** What all cells of a host have in common. */
export interface CellSurroundings {
  executable: Executable;
  /** Build id of host and cells. */
  build: string;
  sockets: SocketFolder;
  storeDirectory: string;
  preload: string[];
  logLevel: string;
  /** Writes to the host's standard output. Never rejects. */
  print: (text: string) => Promise<void>;
  standardInput: StandardInput;
}

/** What a run tells while it lasts. */
export interface CellRunEvents {
  onReady(): void;
  onPipeline(id: string, state: PipelineState, failure: ComponentFailure | undefined): void;
  /** False for the answer to a call that was not made. */
  onAnswer(answer: AnswerMessage): boolean;
}

/** What a run starts with. */
export interface CellRunOptions {
  /** By name, all that the cell may need. */
  plugins: ReadonlyMap<string, CellPlugin>;
  /** Where each source, by key, goes on. */
  resume: ReadonlyMap<string, SourceState>;
  /** What the cells before crashed on. */
  suspects: Suspect[];
  /** Only create everything, until `proceed()`. */
  standby: boolean;
  events: CellRunEvents;
}

/** What a cell says once it has done what it was told to. */
type Answer = "prepared" | "ready" | "paused";

interface Awaited extends PromiseWithResolvers<void> {
  answer: Answer;
  limitMs: number;
  ticks: number;
}

/** A source's last whole state. */
interface NotedSource {
  key: string;
  turn: number;
  state: SourceState;
}

/** A cell ended before it answered. */
export class CellEndedError extends Error {
  override readonly name = "CellEndedError";
}

/** What is left of a run. */
export interface CellEnd {
  /** Undefined when it ended as it was told to. */
  exit: LastExit | undefined;
  /** Number of the place whose call ended it, where that is known. */
  culprit: number | undefined;
  uptimeMs: number;
}

/** One life of a cell: from its spawn to the blame. */
export class CellRun implements CallTarget {
  readonly places: ComponentPlace[];
  readonly reader: RecorderReader;
  readonly startedAt = new Date();
  /** Resolves when the process is gone, before the recorder is closed: `settle` reads the last of it. Never rejects. */
  readonly ended: Promise<CellEnd>;
  /** From spawn to ready. */
  readyMs: number | undefined;
  /** What components said about their health, by number. */
  readonly healthMessages = new Map<number, string>();
  readonly #cell: PlannedCell;
  readonly #surroundings: CellSurroundings;
  readonly #plugins: CellPlugin[];
  readonly #events: CellRunEvents;
  readonly #recorder: MemoryFile;
  readonly #process: CellProcess;
  readonly #logs: RecorderLogs;
  readonly #hangs: HangWatch;
  readonly #limits: LimitWatch;
  readonly #started = performance.now();
  #stopTimer: number | undefined;
  #stopping = false;
  #abandoned = false;
  #over = false;
  #killed: KillReason | undefined;
  #failure: ComponentFailure | undefined;
  /** Everything is stopped, or was not started yet. */
  #parked = false;
  /** It was created, but never started. */
  #standby: boolean;
  #awaited: Awaited | undefined;
  #sources: NotedSource[];

  /**
   * Starts the process.
   *
   * @throws {Error} when there is no memory or no process to be had
   */
  constructor(
    cell: PlannedCell,
    surroundings: CellSurroundings,
    options: CellRunOptions,
  ) {
    this.#cell = cell;
    this.#standby = options.standby;
    this.#surroundings = surroundings;
    this.#events = options.events;
    this.places = componentPlaces(cell.pipelines);
    this.#plugins = usedPlugins(this.places, options.plugins);
    const plan = planRecorder(this.places.length, sourcePlaces(cell.pipelines).length);
    this.#recorder = createRecorder(plan);
    const { buffer } = this.#recorder;
    this.reader = new RecorderReader(buffer, plan);
    this.#sources = this.#writeSources(options.resume);
    try {
      this.#process = this.#spawn(options.suspects);
    } catch (error) {
      this.#recorder.close();
      throw error;
    }
    const { limits } = cell.pipelines[0]!.pipeline;
    const { pid } = this.#process;
    this.#limits = new LimitWatch(pid, limits);
    this.#hangs = new HangWatch(this.reader, {
      timeouts: this.places.map(({ pipeline }) => pipeline.timeouts),
      tickMs: TICK_MS,
      isHeld: () => isHeld(pid),
    });
    this.#logs = new RecorderLogs(cell.name, new LogRing(buffer, plan), {
      places: this.places,
      dropped: () => this.reader.logsDropped(),
    });
    this.ended = this.#process.ended.then((status) => this.#settle(status));
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Resident memory at the last sample, in bytes. */
  get rss(): number {
    return this.#limits.rss;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** One sample, every {@linkcode TICK_MS}: kills the cell when it hangs or uses more than it may. */
  tick(): void {
    if (this.#killed !== undefined) return;
    this.#noteSources();
    const phase = !this.#process.connected
      ? "hello"
      : this.readyMs === undefined
      ? "starting"
      : "up";
    const exceeded = this.#limits.check(performance.now());
    const reason = exceeded === undefined
      ? (this.#parked ? undefined : this.#hangs.tick(phase)) ?? this.#overdueAnswer()
      : { reason: "limit" as const, message: exceeded };
    if (reason !== undefined) this.#kill(reason);
  }

  /** Whether it may be running events: it was started and not paused since. */
  get isUp(): boolean {
    return this.readyMs !== undefined && !this.#parked;
  }

  /** Resolves when a standby cell has created everything. @throws {CellEndedError} when it ends first, or takes too long */
  prepared(): Promise<void> {
    return this.#await("prepared", this.#createLimit());
  }

  /**
   * Stops everything in order, but keeps the process: resolves when all is saved and let go of. What takes longer than the
   * longest `shutdown_timeout` of its pipelines is killed.
   *
   * @throws {CellEndedError} when it ends before
   */
  pause(): Promise<void> {
    const deadline = this.#shutdownTimeout();
    this.#send({ type: "pause", deadline });
    return this.#await("paused", deadline);
  }

  /**
   * Starts what a pause has stopped, or for the first time what is in standby, from `resume`. Resolves when everything runs.
   *
   * @throws {CellEndedError} when it ends before, or takes too long
   */
  proceed(resume: ReadonlyMap<string, SourceState>): Promise<void> {
    this.#sources = this.#writeSources(resume);
    this.#parked = false;
    this.#send({ type: this.#standby ? "activate" : "resume" });
    this.#standby = false;
    return this.#await("ready", this.#createLimit());
  }

  /** Resolves when everything runs, or the process is gone. */
  async settled(): Promise<void> {
    if (this.readyMs !== undefined || this.#standby) return;
    await this.#await("ready", Infinity).catch(() => {});
  }

  /** Tells it to stop, and kills it after the longest `shutdown_timeout` of its pipelines. */
  stop(): void {
    if (this.#stopping || this.#over) return;
    this.#stopping = true;
    if (!this.#process.connected) return this.abandon();
    const deadline = this.#shutdownTimeout();
    this.#send({ type: "stop", deadline });
    this.#stopTimer = setTimeout(() => {
      this.#kill({ reason: "stop_timeout", message: `cell did not stop within ${deadline} ms` });
    }, deadline);
  }

  /** Kills it, which is nobody's fault. */
  abandon(): void {
    this.#abandoned = true;
    this.#stopping = true;
    this.#process.kill();
  }

  /** Lets it look for dead letters of the pipeline that are to be offered again. */
  replay(pipeline: string): void {
    this.#send({ type: "replay", pipeline });
  }

  setLogLevel(level: string): void {
    this.#send({ type: "log_level", level });
  }

  placeOf(key: string): number | undefined {
    const place = this.places.findIndex((place) => place.key === key);
    return place < 0 ? undefined : place;
  }

  send(message: CallMessage, bytes: Uint8Array): void {
    this.#send(message, bytes);
  }

  #send(message: HostMessage, bytes?: Uint8Array): void {
    if (this.#over) return;
    announceMessage(this.#recorder.buffer);
    this.#process.send(message, bytes);
  }

  /** A copy of the component's counters. */
  component(index: number): ComponentReading {
    return this.reader.component(index);
  }

  /** What plugins measure, each with the component's place. */
  metrics(): { place: ComponentPlace | undefined; metric: MetricReading }[] {
    return this.reader.metrics().map((metric) => ({
      place: metric.component === undefined ? undefined : this.places[metric.component],
      metric,
    }));
  }

  /** Where its sources got to, by key. */
  sourceStates(): Map<string, SourceState> {
    this.#noteSources();
    return new Map(this.#sources.map(({ key, state }) => {
      // The sequence of the last poll: what came before it was handed out, and perhaps one batch more.
      const index = this.places.findIndex((place) => place.key === key);
      const { maxEvents } = this.places[index]!.pipeline.batch;
      const asked = BigInt(this.reader.component(index).sequence);
      const polled = asked === 0n ? state.polled ?? 0n : asked + BigInt(maxEvents);
      return [key, { ...state, polled }];
    }));
  }

  /** Ends the use of the recorder. */
  close(): void {
    this.#recorder.close();
  }

  #writeSources(resume: ReadonlyMap<string, SourceState>): NotedSource[] {
    const { plan } = this.reader;
    return sourcePlaces(this.#cell.pipelines).map(({ key }, i) => {
      const state = resume.get(key) ?? { acknowledged: 0n, position: new Uint8Array() };
      const place = plan.sourcesAt + i * RecorderSourceLayout.size;
      writeSourceState(this.#recorder.buffer, place, state);
      return { key, turn: this.reader.sourceTurn(i), state };
    });
  }

  /** One answer is awaited at a time. */
  #await(answer: Answer, limitMs: number): Promise<void> {
    if (this.#over) return Promise.reject(new CellEndedError(`cell ended before "${answer}"`));
    const awaited = { answer, limitMs, ticks: 0, ...Promise.withResolvers<void>() };
    this.#awaited = awaited;
    return awaited.promise;
  }

  #answered(answer: Answer): void {
    if (answer !== "ready") this.#parked = true;
    if (this.#awaited?.answer !== answer) return;
    this.#awaited.resolve();
    this.#awaited = undefined;
  }

  /** Counts samples, as the watch for hangs does: a machine that sleeps makes nobody late. */
  #overdueAnswer(): KillReason | undefined {
    const awaited = this.#awaited;
    if (awaited === undefined || !this.#process.connected) return undefined;
    if (++awaited.ticks * TICK_MS < awaited.limitMs || isHeld(this.pid)) return undefined;
    const message = `cell did not become "${awaited.answer}" within ${awaited.limitMs} ms`;
    return { reason: "unresponsive", message };
  }

  /** Every component in turn may take its time. */
  #createLimit(): number {
    return this.places.reduce((sum, { pipeline }) => sum + pipeline.timeouts.createMs, 0);
  }

  #shutdownTimeout(): number {
    return Math.max(...this.#cell.pipelines.map(({ pipeline }) => pipeline.shutdownTimeoutMs));
  }

  #spawn(suspects: Suspect[]): CellProcess {
    const { executable, build, sockets, storeDirectory, preload, logLevel, standardInput } =
      this.#surroundings;
    const { name, pipelines } = this.#cell;
    const { limits, environment } = pipelines[0]!.pipeline;
    const plugins = Object.fromEntries(
      this.#plugins.map((plugin) => [plugin.manifest.name, plugin]),
    );
    return new CellProcess({
      executable,
      build,
      environment,
      socketPath: sockets.next(),
      recorder: { path: this.#recorder.path, size: this.#recorder.buffer.byteLength },
      spec: {
        name,
        logLevel,
        preload,
        storeDirectory,
        plugins,
        pipelines,
        descriptors: limits.descriptors,
        suspects,
        ...(this.places.some(readsStandardInput) ? { standardInput: standardInput.path } : {}),
      },
      standby: this.#standby,
      onOutput: (stream, line) => this.#log("info", line, { stream }),
      onMessage: (message) => this.#take(message),
      onProtocolError: (message) => this.#kill({ reason: "protocol", message }),
    });
  }

  #take(message: CellMessage): void | Promise<void> {
    switch (message.type) {
      case "prepared":
      case "paused":
        return this.#answered(message.type);
      case "ready":
        this.#answered("ready");
        if (this.readyMs !== undefined) return;
        this.readyMs = Math.round(performance.now() - this.#started);
        this.#log("info", "Cell ready", { pid: this.pid, ready_ms: this.readyMs });
        return this.#events.onReady();
      case "pipeline":
        return this.#events.onPipeline(message.id, message.state, message.failure);
      case "fatal":
        this.#failure ??= message.failure;
        return;
      case "health":
        if (message.component < this.places.length) {
          this.healthMessages.set(message.component, message.message);
        }
        return;
      case "output":
        return this.#surroundings.print(message.text);
      case "answer":
        if (this.#events.onAnswer(message)) return;
        return this.#kill({ reason: "protocol", message: "cell answered what it was not asked" });
    }
  }

  #kill(reason: KillReason): void {
    // What it had written may take longer than it did.
    if (this.#process.gone) return;
    this.#killed ??= reason;
    this.#process.kill();
  }

  /** Keeps each source's last whole state: a cell may die while it writes one. */
  #noteSources(): void {
    for (const [i, source] of this.#sources.entries()) {
      const turn = this.reader.sourceTurn(i);
      if (turn === source.turn) continue;
      const state = this.reader.source(i);
      if (state === undefined) continue;
      source.turn = turn;
      source.state = state;
    }
  }

  #settle(status: ExitStatus): CellEnd {
    clearTimeout(this.#stopTimer);
    this.#over = true;
    this.#awaited?.reject(new CellEndedError(`cell ended before "${this.#awaited.answer}"`));
    const uptimeMs = performance.now() - this.#started;
    this.#logs.finish();
    this.#noteSources();
    const inOrder = this.#killed === undefined && this.#failure === undefined &&
      status.code === 0 && this.reader.endedCleanly();
    const asTold = this.#abandoned || (this.#stopping && inOrder);
    if (asTold) return { exit: undefined, culprit: undefined, uptimeMs };
    const ended = {
      status,
      at: new Date(),
      reader: this.reader,
      places: this.places,
      plugins: this.#plugins,
      killed: this.#killed,
      failure: this.#failure,
    };
    return { exit: blame(ended), culprit: deadlyPlace(ended), uptimeMs };
  }

  #log(level: "info", text: string, properties: Record<string, unknown>): void {
    const [only, ...others] = this.#cell.pipelines;
    const pipeline = others.length === 0 ? { pipeline: only?.pipeline.id } : {};
    logText(["busbar", "cell"], level, {
      text,
      properties: { cell: this.#cell.name, ...pipeline, ...properties },
    });
  }
}

function readsStandardInput({ component: { kind, plugin, component } }: ComponentPlace): boolean {
  return kind === "source" && plugin === "builtin" && component === "stdin";
}

function usedPlugins(places: ComponentPlace[], all: ReadonlyMap<string, CellPlugin>): CellPlugin[] {
  const names = new Set(places.map(({ component }) => component.plugin));
  return [...names].flatMap((name) => all.get(name) ?? []);
}
