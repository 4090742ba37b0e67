/** Runs pipelines of the fixture plugins in a real busbar, and looks at what they did. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { planRecorder } from "../../../ffi/flight_recorder.ts";
import { type ComponentReading, RecorderReader } from "../../../src/cell/recorder_reader.ts";
import { RecorderHeaderLayout } from "../../../ffi/recorder_layout.ts";
import { fixture, PLUGINS } from "../../fixtures/build.ts";
import {
  type Busbar,
  type BusbarOptions,
  type BusbarOutput,
  withBusbar,
} from "../../support/busbar.ts";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";

/** An event as `probe/collect` wrote it down. */
export interface Collected {
  source: number;
  sequence: number;
  payload: string;
}

export async function withFolder<T>(action: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_pipeline_" });
  try {
    return await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts busbar with the pipelines and calls `action`. */
export async function withPipelines<T>(
  pipelines: Record<string, unknown>,
  action: (busbar: Busbar) => Promise<T>,
  options: Omit<BusbarOptions, "config"> = {},
): Promise<T> {
  for (const name of ["probe", "faulty"]) await fixture(name);
  const config = {
    log: { level: "debug", format: "json" },
    plugins: { directories: [PLUGINS] },
    pipelines,
  };
  return await withBusbar({ ...options, config }, action);
}

/** Runs the pipelines until all of them have completed. */
export async function runToEnd(pipelines: Record<string, unknown>): Promise<BusbarOutput> {
  return await withPipelines(pipelines, async (busbar) => {
    const end = await busbar.exited();
    assert.equal(end.code, 0, "every pipeline completes");
    return end;
  }, { args: ["--until-done"] });
}

/** Everything that `probe/collect` wrote to the file, in order; nothing while there is no file. */
export async function collected(file: string): Promise<Collected[]> {
  const text = await Deno.readTextFile(file).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  assert.ok(text === "" || text.endsWith("\n"), `"${file}" ends within a line`);
  return text.split("\n").slice(0, -1).map((line) => {
    const [, source, sequence, payload] = /^(\d+) (\d+) (.*)$/.exec(line)!;
    return { source: Number(source), sequence: Number(sequence), payload: payload! };
  });
}

/** The last whole line of a file that somebody appends to; undefined while there is none. */
export async function lastLine(file: string): Promise<string | undefined> {
  const text = await Deno.readTextFile(file).catch(() => "");
  return text.split("\n").at(-2);
}

/** The sequences of one source in the order they came. */
export function sequences(events: readonly Collected[], source = 0): number[] {
  return events.filter((event) => event.source === source).map(({ sequence }) => sequence);
}

/** 1, 2, … `last`. */
export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

/** Fails unless the file holds every event of `probe/numbers` from 1 to `last` once, in order and whole. */
export async function assertNumbers(file: string, last: number, source = 0): Promise<void> {
  const events = await collected(file);
  assert.deepEqual(sequences(events, source), upTo(last), file);
  for (const event of events) assert.equal(digits(event), `${event.sequence}`);
}

/** The number that is an event's payload, without the dots that fill it up. */
export function digits({ payload }: Collected): string {
  return payload.replace(/\.*$/, "");
}

/** What the flight recorder of the cell says now. Components and sources are numbered as in the configuration. */
export async function recorderOf(pid: number): Promise<RecorderReader> {
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const path = join(`/proc/${pid}/fd`, name);
    if (!(await Deno.readLink(path).catch(() => "")).startsWith("/memfd:busbar-recorder")) continue;
    const { buffer } = await Deno.readFile(path);
    const view = new DataView(buffer);
    const { component_count, source_count } = RecorderHeaderLayout.offset;
    const plan = planRecorder(
      view.getUint32(component_count, true),
      view.getUint32(source_count, true),
    );
    return new RecorderReader(buffer, plan);
  }
  throw new Error(`Process ${pid} has no flight recorder`);
}

/** How many calls a component has had. */
export function callsOf({ calls }: ComponentReading): number {
  return Math.floor(Number(calls) / 2);
}

/** A metric of component `component` in the cell; undefined while there is none. */
export function metric(
  recorder: RecorderReader,
  component: number,
  name: string,
): number | undefined {
  return recorder.metrics().find((one) => one.component === component && one.name === name)?.value;
}

/** Processor time that all threads of a process have used, in ms. */
export async function cpuMs(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10; // of 1/100 s
}

/** Source `probe/numbers`, from 1 to `count`; 0 is for ever. */
export function numbers(count: number, config: Record<string, unknown> = {}) {
  return { use: "probe/numbers", config: { count, ...config } };
}

/** Processor `probe/pass`. */
export function pass(from: string[], config: Record<string, unknown> = {}) {
  return { use: "probe/pass", from, config };
}

/** Reaction `probe/collect`. */
export function collect(from: string[], config: Record<string, unknown> = {}) {
  return { use: "probe/collect", from, config };
}

/** What `action` finds in the store of a pipeline. */
export function look<T>(path: string, action: (store: PipelineStore) => T): T {
  const store = PipelineStore.open(path);
  try {
    return action(store);
  } finally {
    store.close();
  }
}
