/** Instances of built-in components as a cell has them, and batches to give them. */
import { loadShim } from "../../../ffi/shim.ts";
import { CellRecorder, createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import { type BuiltinFactory, BuiltinInstance } from "../../../src/component/builtin.ts";
import type { Completion } from "../../../src/component/component.ts";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";
import { BUILTIN_FACTORIES } from "../../../src/component/builtin/mod.ts";
import { Batch } from "../../../src/event/batch.ts";
import { append, type EventInit } from "../../../src/event/writer.ts";
import { type MetricReading, RecorderReader } from "../../../src/cell/recorder_reader.ts";
import { validatorOf } from "../../../src/config/component_schema.ts";

// Once a process: not something that a test leaves behind.
loadShim();

export interface Given {
  config?: Record<string, unknown>;
  factory?: BuiltinFactory;
  /** A processor's outputs that are read. @default all of its manifest, else "out" */
  outputs?: readonly string[];
  /** The clock, in milliseconds since 1970. */
  now?: () => number;
  partitionIndex?: number;
  partitionCount?: number;
  dataDirectory?: string;
  sources?: string[];
  buffered?: boolean;
  standardInput?: () => Promise<Deno.UnixConn>;
}

export interface Host {
  instance: BuiltinInstance;
  recorder: CellRecorder;
  logs: { level: string; message: string; fields: Record<string, unknown> }[];
  printed: string[];
  /** Called when something is printed; what it returns is waited for. */
  printing: () => Promise<void>;
  interrupts: number;
  /** Ended PENDING writes. */
  completions: Completion[];
  /** What it counts and measures. */
  metrics(): MetricReading[];
}

/** Runs `body` with an instance of the built-in component `name` (`kind/name` where two have it), created, with the settings its schema makes of `config`. */
export async function withBuiltin(
  name: string,
  given: Given,
  body: (host: Host) => Promise<void> | void,
): Promise<void> {
  const described = BUILTIN_MANIFEST.components.find((component) =>
    component.name === name || `${component.kind}/${component.name}` === name
  );
  const config = structuredClone(given.config ?? {});
  if (described !== undefined) {
    const errors = (await validatorOf(described.config_schema!))(config);
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
  }
  const plan = planRecorder(1, 0);
  const file = createRecorder(plan);
  const recorder = new CellRecorder(file.buffer);
  const host: Host = {
    recorder,
    logs: [],
    printed: [],
    printing: () => Promise.resolve(),
    interrupts: 0,
    completions: [],
    metrics: () => new RecorderReader(file.buffer, plan).metrics(),
    instance: new BuiltinInstance({
      id: "it",
      pipelineId: "test",
      kind: described?.kind ?? "reaction",
      index: 0,
      outputs: given.outputs ?? described?.outputs ??
        (described?.kind === "processor" ? ["out"] : []),
      tickInterval: 0,
      config,
      dataDirectory: given.dataDirectory ?? "/nowhere",
      partitionIndex: given.partitionIndex ?? 0,
      partitionCount: given.partitionCount ?? 1,
      sources: given.sources ?? ["access"],
      buffered: given.buffered ?? false,
      factory: given.factory ?? await BUILTIN_FACTORIES[`${described!.kind}/${described!.name}`]!(),
      record: recorder.component(0),
      log: (level, message, fields) => host.logs.push({ level, message, fields }),
      ...(given.now === undefined ? {} : { now: given.now }),
      interrupt: () => host.interrupts++,
      complete: (_, completion) => host.completions.push(completion),
      print: (text) => {
        host.printed.push(text);
        return host.printing();
      },
      ...(given.standardInput === undefined ? {} : { standardInput: given.standardInput }),
    }),
  };
  try {
    const status = await host.instance.create();
    if (status !== 0) throw new Error(host.instance.error());
    await body(host);
  } finally {
    file.close();
  }
}

export interface BatchShape {
  bytes?: number;
  limit?: number;
}

/** Runs `body` with a batch in memory as the pipeline makes it. */
export async function withBatch(
  { bytes = 64 * 1024, limit = 1000 }: BatchShape,
  body: (batch: Batch) => Promise<void> | void,
): Promise<void> {
  const batch = new Batch({ bytes, limit, withPosition: true });
  batch.nextSequence = 1;
  try {
    await body(batch);
  } finally {
    batch.free();
  }
}

export type TestEvent = Omit<EventInit, "payload" | "key"> & {
  payload: string | Uint8Array;
  key?: string | Uint8Array;
};

/** Empties the batch and appends these events. */
export function fill(batch: Batch, events: readonly TestEvent[]): Batch {
  const bytes = (text: string | Uint8Array) =>
    typeof text === "string" ? new TextEncoder().encode(text) : text;
  batch.reset();
  for (const { payload, key = "", ...rest } of events) {
    if (!append(batch, { ...rest, payload: bytes(payload), key: bytes(key) })) {
      throw new Error("the batch is too small for the test's events");
    }
  }
  return batch;
}
