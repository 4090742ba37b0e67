import { type ComponentKind, Status } from "../../ffi/layout.ts";
import { CALL_NUMBER, type CallName } from "../../ffi/recorder_layout.ts";
import type { ComponentRecord } from "../../ffi/flight_recorder.ts";
import type { ComponentMetrics } from "../../ffi/recorder_metrics.ts";
import type { Batch } from "../event/batch.ts";
import { RecordReader } from "../event/reader.ts";
import type { Call, CallAnswer, CallMade } from "./call.ts";
import type { LogLevelName } from "./cell_log.ts";
import type {
  Acknowledged,
  Completion,
  Instance,
  Result,
  Resume,
  SavedState,
} from "./component.ts";

/** What a component written in TypeScript gets: what `busbar_context_t` is to a native one. */
export interface BuiltinContext {
  readonly id: string;
  readonly pipelineId: string;
  /** Settings, checked against the manifest's schema, defaults filled in. */
  readonly config: Record<string, unknown>;
  /** A private folder, kept over restarts; made by who needs it. */
  readonly dataDirectory: string;
  readonly partitionIndex: number;
  readonly partitionCount: number;
  /** Ids of the pipeline's sources, by the number that records have. */
  readonly sources: readonly string[];
  /** Names of a processor's outputs. */
  readonly outputs: readonly string[];
  /** What it counts and measures, beside what is counted for every component. */
  readonly metrics: ComponentMetrics;
  /** A source's: whether what it gives is kept on disk, which `commit` then tells about. */
  readonly buffered: boolean;
  /** From `start` on: resume right after it; empty: from the beginning. */
  readonly position: Uint8Array;
  /** From `start` on: how far the sources upstream are finished. */
  readonly acknowledged: readonly Acknowledged[];
  log(level: LogLevelName, message: string, fields?: Record<string, unknown>): void;
  /** Milliseconds since 1970. What depends on the time of day asks here, so that tests can let it pass. */
  now(): number;
  /** The message that goes with the status which the present call is about to return. */
  explain(message: string): void;
  /** Asks for a call soon; see `busbar_host_t`. */
  wake(): void;
  /** Ends a PENDING write. */
  complete(completion: Completion): void;
  /** Writes to the host's standard output. Resolves when it was taken. */
  print(text: string): Promise<void>;
  /** A connection over which the host gives its standard input; see src/cell/standard_input.ts. */
  standardInput(): Promise<Deno.UnixConn>;
}

/**
 * A component written in TypeScript. Its functions mean what their namesakes in `busbar.h` do; those that are missing are
 * not offered. What they throw is the message of a failure: FAILED from `start`, FATAL otherwise.
 */
export interface BuiltinComponent {
  restore?(state: SavedState): void | Promise<void>;
  start?(): void | Promise<void>;
  stop?(): void | Promise<void>;
  save?(): SavedState | Promise<SavedState>;
  destroy?(): void | Promise<void>;
  /** "" when well, else what is wrong. */
  health?(): string | Promise<string>;
  poll?(batch: Batch): Result;
  commit?(position: Uint8Array): Result;
  process?(batch: Batch): Result;
  tick?(batch: Batch): Result;
  write?(batch: Batch): Result;
  flush?(): Result;
  /** A source that is given events from outside, by a route of `http`: the answer. */
  receive?(call: Call): CallAnswer | Promise<CallAnswer>;
}

/** Makes an instance. What it throws says what is wrong with the settings. */
export interface BuiltinFactory {
  (context: BuiltinContext): BuiltinComponent | Promise<BuiltinComponent>;
  /** Throws, a `SettingError` where it can, for settings that fit the schema and that nothing can be made with. */
  check?: (config: Record<string, unknown>) => unknown;
}

export interface BuiltinOptions {
  id: string;
  pipelineId: string;
  kind: ComponentKind;
  index: number;
  outputs: readonly string[];
  tickInterval: number;
  config: Record<string, unknown>;
  dataDirectory: string;
  partitionIndex: number;
  partitionCount: number;
  sources: readonly string[];
  /** @default false */
  buffered?: boolean;
  factory: BuiltinFactory;
  record: ComponentRecord;
  log(level: LogLevelName, message: string, fields: Record<string, unknown>): void;
  /** The clock. @default the system's */
  now?: () => number;
  /** Has the cell look for wakes and completions. */
  interrupt(): void;
  complete(index: number, completion: Completion): void;
  print(text: string): Promise<void>;
  standardInput?: () => Promise<Deno.UnixConn>;
}

/** An instance of a component written in TypeScript, with the records that the shim keeps for native ones. */
export class BuiltinInstance implements Instance, BuiltinContext {
  readonly id: string;
  readonly pipelineId: string;
  readonly kind: ComponentKind;
  readonly plugin = "builtin";
  readonly index: number;
  readonly blocking = false;
  readonly outputs: readonly string[];
  readonly tickInterval: number;
  readonly config: Record<string, unknown>;
  readonly dataDirectory: string;
  readonly partitionIndex: number;
  readonly partitionCount: number;
  readonly sources: readonly string[];
  readonly metrics: ComponentMetrics;
  readonly buffered: boolean;
  position = new Uint8Array(0);
  acknowledged: readonly Acknowledged[] = [];
  readonly #options: BuiltinOptions;
  readonly #record: ComponentRecord;
  readonly #first = new RecordReader();
  #component: BuiltinComponent = {};
  #woken = false;
  #nextId = 0;
  #message = "";

  constructor(options: BuiltinOptions) {
    this.#options = options;
    this.#record = options.record;
    this.id = options.id;
    this.pipelineId = options.pipelineId;
    this.kind = options.kind;
    this.index = options.index;
    this.outputs = options.outputs;
    this.tickInterval = options.tickInterval;
    this.config = options.config;
    this.dataDirectory = options.dataDirectory;
    this.partitionIndex = options.partitionIndex;
    this.partitionCount = options.partitionCount;
    this.sources = options.sources;
    this.buffered = options.buffered ?? false;
    this.metrics = options.record.metrics;
  }

  log(level: LogLevelName, message: string, fields: Record<string, unknown> = {}): void {
    const { pipelineId: pipeline, plugin, id: component } = this;
    this.#options.log(level, message, { pipeline, plugin, component, ...fields });
  }

  now(): number {
    return this.#options.now?.() ?? Date.now();
  }

  explain(message: string): void {
    this.#message = message;
  }

  wake(): void {
    this.#woken = true;
    this.#options.interrupt();
  }

  complete(completion: Completion): void {
    this.#options.complete(this.index, completion);
    this.#options.interrupt();
  }

  print(text: string): Promise<void> {
    return this.#options.print(text);
  }

  standardInput(): Promise<Deno.UnixConn> {
    const { standardInput } = this.#options;
    if (standardInput === undefined) throw new Error("Cannot read standard input: it is not given");
    return standardInput();
  }

  has(call: CallName): boolean {
    return call === "create" || call === "destroy" ||
      this.#component[call as keyof BuiltinComponent] !== undefined;
  }

  error(): string {
    const message = this.#message;
    this.#message = "";
    return message;
  }

  get woken(): boolean {
    return this.#woken;
  }

  takeWake(): boolean {
    const woken = this.#woken;
    this.#woken = false;
    return woken;
  }

  setResume(resume: Resume): void {
    this.position = new Uint8Array(resume.position);
    this.acknowledged = resume.acknowledged;
  }

  create(): Result {
    return this.#call("create", Status.FAILED, async () => {
      this.#component = await this.#options.factory(this);
      return Status.OK;
    });
  }

  restore(state: SavedState): Result {
    return this.#call("restore", Status.INVALID, () => done(this.#component.restore?.(state)));
  }

  start(): Result {
    return this.#call("start", Status.FAILED, () => done(this.#component.start?.()));
  }

  stop(): Result {
    return this.#call("stop", Status.FAILED, () => done(this.#component.stop?.()));
  }

  async save(): Promise<SavedState | number> {
    let state: SavedState | undefined;
    const status = await this.#call("save", Status.FAILED, async () => {
      state = await this.#component.save!();
      return Status.OK;
    });
    return state ?? status;
  }

  destroy(): Result {
    return this.#call("destroy", Status.FAILED, () => done(this.#component.destroy?.()));
  }

  health(): Result {
    const note = (message: string): number => {
      this.#message = message;
      return message === "" ? Status.OK : Status.FAILED;
    };
    return this.#call("health", Status.FAILED, () => {
      const message = this.#component.health!();
      return typeof message === "string" ? note(message) : message.then(note);
    });
  }

  poll(batch: Batch): Result {
    const { count, length } = batch;
    const result = this.#call("poll", Status.FATAL, () => this.#component.poll!(batch));
    return this.#after(
      result,
      () => this.#record.emitted(batch.count - count, batch.length - length),
    );
  }

  commit(position: Uint8Array): Result {
    return this.#call("commit", Status.FAILED, () => this.#component.commit!(position));
  }

  release(): Result {
    return Status.OK;
  }

  process(batch: Batch): Result {
    this.#note(batch);
    const result = this.#call("process", Status.FATAL, () => this.#component.process!(batch));
    return this.#after(result, (status) => {
      for (const out of batch.outputs) this.#record.emitted(out.count, out.length);
      if (status === Status.OK) this.#record.received(batch.count, batch.length);
    });
  }

  tick(batch: Batch): Result {
    const result = this.#call("tick", Status.FATAL, () => this.#component.tick!(batch));
    return this.#after(result, () => {
      for (const out of batch.outputs) this.#record.emitted(out.count, out.length);
    });
  }

  write(batch: Batch): Result {
    const { count, length } = batch;
    batch.id = this.#nextId = (this.#nextId + 1) & 0x7fff_ffff;
    this.#note(batch);
    const result = this.#call("write", Status.FATAL, () => this.#component.write!(batch));
    return this.#after(result, (status) => {
      if (status === Status.OK) this.#record.received(count, length);
    });
  }

  flush(): Result {
    return this.#call("flush", Status.FATAL, () => this.#component.flush!());
  }

  async receive(call: Call): Promise<CallMade> {
    const none = { status: 0, headers: [], body: new Uint8Array(0) };
    try {
      const answer = await this.#component.receive?.(call);
      if (answer !== undefined) return { status: Status.OK, message: "", answer, changes: {} };
      return { status: Status.FAILED, message: "it takes none", answer: none, changes: {} };
    } catch (error) {
      const { message } = error as Error;
      return { status: Status.FAILED, message, answer: none, changes: {} };
    }
  }

  /** Of the first event of the present call. */
  #sequence = 0;
  #source = 0;

  #note(batch: Batch): void {
    const known = this.#first.open(batch).next();
    this.#sequence = known ? this.#first.sequence : 0;
    this.#source = known ? this.#first.source : 0;
  }

  /** Makes a call as the shim makes a native one; what it throws becomes `failure`. */
  #call(call: CallName, failure: number, make: () => Result): Result {
    this.#record.enter(CALL_NUMBER[call] + this.#source * 65536, this.#sequence);
    const failed = (error: unknown): number => {
      this.#message = error instanceof Error ? error.message : String(error);
      return this.#leave(failure);
    };
    try {
      const result = make();
      if (typeof result === "number") return this.#leave(result);
      // A promise waits on its own: only what keeps the event loop busy counts as being inside a call.
      this.#leave(Status.OK);
      const again = () =>
        this.#record.enter(CALL_NUMBER[call] + this.#source * 65536, this.#sequence);
      return result.then((status) => {
        again();
        return this.#leave(status);
      }, (error) => {
        again();
        return failed(error);
      });
    } catch (error) {
      return failed(error);
    }
  }

  #leave(status: number): number {
    this.#record.leave(status);
    return status;
  }

  #after(result: Result, then: (status: number) => void): Result {
    if (typeof result !== "number") {
      return result.then((status) => {
        then(status);
        return status;
      });
    }
    then(result);
    return result;
  }
}

function done(result: void | Promise<void>): Result {
  return result === undefined ? Status.OK : result.then(() => Status.OK);
}
