/** Runs a pipeline of components written in the test, with a clock that moves only when nothing else does. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { MemoryFile } from "../../../ffi/memory_file.ts";
import { ContentType, Status } from "../../../ffi/layout.ts";
import { loadShim } from "../../../ffi/shim.ts";
import {
  type BufferReading,
  CellRecorder,
  createRecorder,
  planRecorder,
} from "../../../ffi/flight_recorder.ts";
import { RecorderComponentLayout } from "../../../ffi/recorder_layout.ts";
import type { ComponentFailure, PipelineState, Suspect } from "../../../src/pipeline/spec.ts";
import {
  type BuiltinComponent,
  type BuiltinContext,
  BuiltinInstance,
} from "../../../src/component/builtin.ts";
import type {
  BufferSettings,
  ResolvedComponent,
  ResolvedPipeline,
} from "../../../src/config/resolved.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { append } from "../../../src/event/writer.ts";
import { Pipeline } from "../../../src/pipeline/pipeline.ts";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";

// Once a process: not something that a test leaves behind.
loadShim();

/** Turns after which a condition is not waited for any longer. */
const MOST_TURNS = 3000;

export interface TestComponent {
  kind: "source" | "processor" | "reaction";
  make: BuiltinComponent | ((context: BuiltinContext) => BuiltinComponent);
  /** Ids, with the number of an output behind a dot. */
  from?: string[];
  outputs?: string[];
  tickInterval?: number;
  /** A source's. */
  buffer?: BufferSettings;
  maxAttempts?: number;
  onFailure?: "dead_letter" | "drop" | "stop";
}

export interface HarnessOptions {
  batch?: Partial<ResolvedPipeline["batch"]>;
  validate?: "normal" | "strict";
  maxPending?: number;
  checkpointIntervalMs?: number;
  /** Where the only source resumes. */
  resume?: { sequence: number; position: string };
  /** The folder of the store; the harness makes one of its own, and removes it, when there is none. */
  folder?: string;
  /** Pages that the store may have; as many as the disk holds, without it. */
  maxPages?: number;
  /** What a cell before crashed on. */
  suspects?: Omit<Suspect, "pipeline" | "partition">[];
}

export interface LogEntry {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

export class Harness {
  /** The pipeline's time in ms. */
  clock = 0;
  readonly states: PipelineState[] = [];
  /** Failures that ended the cell, or the pipeline. */
  readonly failures: ComponentFailure[] = [];
  readonly logs: LogEntry[] = [];
  readonly instances = new Map<string, BuiltinInstance>();
  readonly pipeline: Pipeline;
  readonly recorder: CellRecorder;
  /** Where the pipeline's store lies. */
  readonly storePath: string;
  readonly #folder: string | undefined;
  readonly #file: MemoryFile;
  readonly #indices = new Map<string, number>();

  constructor(components: Record<string, TestComponent>, options: HarnessOptions = {}) {
    const sources = Object.values(components).filter(({ kind }) => kind === "source").length;
    this.#file = createRecorder(planRecorder(Object.keys(components).length, sources));
    this.recorder = new CellRecorder(this.#file.buffer);
    this.#folder = options.folder === undefined ? Deno.makeTempDirSync() : undefined;
    this.storePath = join(options.folder ?? this.#folder!, "pipeline.db");
    if (options.resume) {
      const position = new TextEncoder().encode(options.resume.position);
      const { sequence } = options.resume;
      const source = Object.keys(components).find((id) => components[id]!.kind === "source")!;
      this.recorder.writeSource(0, sequence, position);
      this.store((store) =>
        store.commit({ marks: [{ source, sequence, position }], states: [], deadLetters: [] })
      );
    }
    const instances = Object.entries(components).map(([id, component], index) => {
      const { kind, make, outputs = kind === "processor" ? ["out"] : [] } = component;
      this.#indices.set(id, index);
      const instance = new BuiltinInstance({
        id,
        pipelineId: "test",
        kind,
        index,
        outputs,
        tickInterval: component.tickInterval ?? 0,
        config: {},
        dataDirectory: "/nowhere",
        partitionIndex: 0,
        partitionCount: 1,
        sources: [],
        factory: typeof make === "function" ? make : () => make,
        record: this.recorder.component(index),
        log: (level, message, fields) => this.logs.push({ level, message, fields }),
        interrupt: () => {},
        complete: (index, completion) => this.pipeline.completed(index, completion),
        print: () => Promise.resolve(),
      });
      this.instances.set(id, instance);
      return instance;
    });
    const now = () => this.clock;
    this.pipeline = new (class extends Pipeline {
      override now(): number {
        return now();
      }
    })({
      spec: {
        pipeline: resolved(components, options),
        partitionIndex: 0,
        partitionCount: 1,
        dataDirectory: "/nowhere",
        storePath: this.storePath,
      },
      instances,
      recorder: this.recorder,
      firstSource: 0,
      maxPending: options.maxPending ?? 8,
      openStore: () =>
        PipelineStore.open(
          this.storePath,
          options.maxPages === undefined ? {} : { maxPages: options.maxPages },
        ),
      suspects: (options.suspects ?? []).map((one) => ({ ...one, pipeline: "test", partition: 0 })),
      interrupt: () => {},
      onState: (state, failure) => {
        this.states.push(state);
        if (failure) this.failures.push(failure);
      },
      onFatal: (failure) => this.failures.push(failure),
      log: (level, message, fields) => this.logs.push({ level, message, fields }),
    });
  }

  /** Everything that can be done without the clock moving on. */
  turn(): number {
    for (let turns = 0;; turns++) {
      assert.ok(turns < MOST_TURNS, "the pipeline does not come to rest");
      if (!this.pipeline.step()) {
        const next = this.pipeline.service();
        if (!this.pipeline.step()) return next;
      }
    }
  }

  /** Runs, moving the clock from one thing that is due to the next, until `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    for (let turns = 0; !condition(); turns++) {
      assert.ok(
        turns < MOST_TURNS,
        `waited in vain: ${JSON.stringify([this.failures, this.logs])}`,
      );
      const next = this.turn();
      if (condition()) return;
      // Promises and timers of the runtime come first.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (next !== Infinity && next > this.clock) this.clock = next;
    }
  }

  /** Runs for `ms` of the pipeline's time. */
  async pass(ms: number): Promise<void> {
    const end = this.clock + ms;
    while (this.clock < end) {
      const next = this.turn();
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.clock = Math.min(Math.max(next, this.clock + 0.5), end);
    }
    this.turn();
  }

  async stop(deadline = Infinity): Promise<void> {
    let stopped = false;
    const stopping = this.pipeline.stop(deadline).then(() => stopped = true);
    await this.until(() => stopped);
    await stopping;
  }

  /** What the recorder says of a component. */
  counters(id: string): { eventsIn: number; eventsOut: number; dropped: number; retries: number } {
    const { offset } = this.recorder.component(this.#indices.get(id)!);
    const view = new DataView(this.#file.buffer, offset);
    const number = (at: number) => Number(view.getBigUint64(at, true));
    return {
      eventsIn: number(24),
      eventsOut: number(32),
      dropped: number(64),
      retries: number(72),
    };
  }

  /** What the recorder says of a source's buffer. */
  buffer(id: string): BufferReading {
    const { offset } = this.recorder.component(this.#indices.get(id)!);
    const view = new DataView(this.#file.buffer, offset);
    const at = RecorderComponentLayout.offset;
    const number = (at: number) => Number(view.getBigUint64(at, true));
    return {
      bytes: number(at.buffer_bytes),
      events: number(at.buffer_events),
      dropped: number(at.buffer_dropped),
      corrupt: number(at.buffer_corrupt),
    };
  }

  /** The checkpoint of a source: sequence and position. */
  checkpoint(source = 0): [number, string] {
    const { acknowledged, position } = this.recorder.readSource(source);
    return [Number(acknowledged), new TextDecoder().decode(position)];
  }

  /** Looks into the store, beside the pipeline. */
  store<T>(look: (store: PipelineStore) => T): T {
    const store = PipelineStore.open(this.storePath);
    try {
      return look(store);
    } finally {
      store.close();
    }
  }

  close(): void {
    this.#file.close();
    if (this.#folder !== undefined) Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** Runs `body` on a started pipeline, which is stopped afterwards if it still runs. */
export async function withPipeline(
  components: Record<string, TestComponent>,
  options: HarnessOptions,
  body: (harness: Harness) => Promise<void>,
): Promise<void> {
  const harness = new Harness(components, options);
  try {
    await harness.pipeline.create();
    await harness.pipeline.start();
    await body(harness);
  } finally {
    if (harness.failures.length === 0) await harness.stop(harness.clock);
    await harness.pipeline.settled;
    harness.close();
  }
}

function resolved(
  components: Record<string, TestComponent>,
  options: HarnessOptions,
): ResolvedPipeline {
  return {
    id: "test",
    enabled: true,
    cell: "test",
    partitions: 1,
    validate: options.validate ?? "normal",
    batch: { maxEvents: 4, maxBytes: 64 * 1024, maxDelayMs: 5, inFlight: 4, ...options.batch },
    checkpointIntervalMs: options.checkpointIntervalMs ?? 1000,
    deadLetters: { maxBytes: 2 ** 20, maxAgeMs: 60_000 },
    limits: { memoryBytes: 0, descriptors: 0, cpu: null },
    restart: { initialMs: 0, maxMs: 0, multiplier: 1, maxRestarts: 0, windowMs: 0 },
    timeouts: { createMs: 0, callMs: 0, stopMs: 0, healthMs: 0 },
    environment: [],
    shutdownTimeoutMs: 0,
    components: Object.entries(components).map(([id, component]): ResolvedComponent => ({
      id,
      kind: component.kind,
      plugin: "builtin",
      component: id,
      config: {},
      from: (component.from ?? []).map((from) => {
        const [name = "", output = "0"] = from.split(".");
        return { component: name, output: Number(output) };
      }),
      outputs: component.outputs ?? [],
      blocking: false,
      replayable: true,
      ...(component.kind === "source" ? { buffer: component.buffer ?? null } : {}),
      ...(component.kind !== "source"
        ? {
          delivery: {
            retry: {
              initialMs: 100,
              maxMs: 1000,
              multiplier: 2,
              maxAttempts: component.maxAttempts ?? 0,
              jitter: 0,
            },
            onFailure: component.onFailure ?? "drop",
          },
        }
        : {}),
    })),
  };
}

// ---- Components ------------------------------------------------------------------------------------

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Appends a text; whether it fitted. */
export function put(batch: Batch, text: string): boolean {
  return append(batch, { payload: encoder.encode(text), contentType: ContentType.TEXT });
}

/** The payloads of a batch. */
export function texts(batch: Batch): string[] {
  const reader = new RecordReader().open(batch);
  const found: string[] = [];
  while (reader.next()) found.push(decoder.decode(reader.payload));
  assert.equal(reader.malformed, "");
  return found;
}

/** A source of these texts; the position is the number of texts given. Then it ends, or says AGAIN for ever. */
export function list(
  items: readonly string[],
  { then = Status.DONE, perPoll = Infinity }: { then?: number; perPoll?: number } = {},
): BuiltinComponent & { polls: number; committed: string[] } {
  let at = 0;
  return {
    polls: 0,
    committed: [],
    poll(batch) {
      this.polls++;
      for (let left = perPoll; at < items.length && left > 0 && put(batch, items[at]!); left--) {
        at++;
      }
      if (batch.count > 0) batch.setPosition(encoder.encode(String(at)));
      return at === items.length ? then : Status.OK;
    },
    commit(position) {
      this.committed.push(decoder.decode(position));
      return Status.OK;
    },
  };
}

/** The texts `prefix`1 to `prefix`n. */
export function numbered(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
}

/** A reaction that keeps what it accepts. `answer` may decide otherwise: a status, given the texts of the batch. */
export function keep(
  answer: (items: string[], batch: Batch) => number | Promise<number> = () => Status.OK,
): BuiltinComponent & { items: string[]; batches: string[][]; writes: number } {
  return {
    items: [],
    batches: [],
    writes: 0,
    write(batch) {
      this.writes++;
      const items = texts(batch);
      const note = (status: number) => {
        const accepted = status === Status.OK
          ? items
          : status === Status.FAILED || status === Status.INVALID
          ? items.slice(0, batch.done)
          : [];
        this.items.push(...accepted);
        if (status === Status.OK) this.batches.push(items);
        return status;
      };
      const status = answer(items, batch);
      return typeof status === "number" ? note(status) : status.then(note);
    },
  };
}

/** A processor that writes what `each` makes of a text, to the output it names; it says MORE when one is full. */
export function map(
  each: (text: string) => { output?: number; text: string }[] = (text) => [{ text }],
): BuiltinComponent {
  const reader = new RecordReader();
  return {
    process(batch) {
      reader.open(batch, batch.cursor);
      while (reader.next()) {
        const origin = { sequence: reader.sequence, source: reader.source };
        for (const { output = 0, text } of each(decoder.decode(reader.payload))) {
          if (append(batch.outputs[output]!, { payload: encoder.encode(text) }, origin)) continue;
          // With one derived event for each the record is simply done again.
          batch.cursor = reader.offset;
          return Status.MORE;
        }
      }
      return Status.OK;
    },
  };
}
