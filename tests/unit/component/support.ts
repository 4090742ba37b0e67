/** Instances of built-in components as a cell has them, and batches to give them. */
import { loadShim } from "../../../ffi/shim.ts";
import { CellRecorder, createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import { type BuiltinFactory, BuiltinInstance } from "../../../src/component/builtin.ts";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";
import { BUILTIN_FACTORIES } from "../../../src/component/builtin/mod.ts";
import { Batch } from "../../../src/event/batch.ts";
import { append, type EventInit } from "../../../src/event/writer.ts";
import { validatorOf } from "../../../src/config/component_schema.ts";

// Once a process: not something that a test leaves behind.
loadShim();

export interface Given {
  config?: Record<string, unknown>;
  factory?: BuiltinFactory;
  partitionIndex?: number;
  partitionCount?: number;
}

export interface Host {
  instance: BuiltinInstance;
  recorder: CellRecorder;
  logs: { level: string; message: string; fields: Record<string, unknown> }[];
  printed: string[];
  /** Called when something is printed; what it returns is waited for. */
  printing: () => Promise<void>;
  interrupts: number;
}

/** Runs `body` with an instance of the built-in component `name`, created, with the settings its schema makes of `config`. */
export async function withBuiltin(
  name: string,
  given: Given,
  body: (host: Host) => Promise<void> | void,
): Promise<void> {
  const described = BUILTIN_MANIFEST.components.find((component) => component.name === name);
  const config = structuredClone(given.config ?? {});
  if (described !== undefined) {
    const errors = (await validatorOf(described.config_schema!))(config);
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
  }
  const file = createRecorder(planRecorder(1, 0));
  const recorder = new CellRecorder(file.buffer);
  const host: Host = {
    recorder,
    logs: [],
    printed: [],
    printing: () => Promise.resolve(),
    interrupts: 0,
    instance: new BuiltinInstance({
      id: "it",
      pipelineId: "test",
      kind: described?.kind ?? "reaction",
      index: 0,
      outputs: [],
      tickInterval: 0,
      config,
      dataDirectory: "/nowhere",
      partitionIndex: given.partitionIndex ?? 0,
      partitionCount: given.partitionCount ?? 1,
      sources: ["access"],
      factory: given.factory ?? await BUILTIN_FACTORIES[name]!(),
      record: recorder.component(0),
      log: (level, message, fields) => host.logs.push({ level, message, fields }),
      interrupt: () => host.interrupts++,
      complete: () => {},
      print: (text) => {
        host.printed.push(text);
        return host.printing();
      },
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
