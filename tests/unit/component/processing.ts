/** Processors as the pipeline calls them: again after MORE with empty outputs, and past what they refuse. */
import assert from "node:assert/strict";
import { ContentType, Operation, RecordFlag, Status } from "../../../ffi/layout.ts";
import type { BuiltinInstance } from "../../../src/component/builtin.ts";
import { Batch } from "../../../src/event/batch.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { type BatchShape, fill, type TestEvent, withBatch } from "./support.ts";

const decoder = new TextDecoder();

/** An event that a processor gave. */
export interface Given {
  payload: string;
  key: string;
  attributes: Record<string, string>;
  sequence: number;
  source: number;
  timestamp: bigint;
  operation: string;
  contentType: string;
  marked: boolean;
}

export interface Processed {
  outputs: Given[][];
  /** Sequences of the events that were refused, with the message. */
  refused: [number, string][];
  /** Calls that were made. */
  calls: number;
}

/** Has `instance` process `events` of a source, numbered from 1; `shape` is that of its outputs. */
export async function processed(
  instance: BuiltinInstance,
  events: readonly TestEvent[],
  { source = 0, ...shape }: BatchShape & { source?: number } = {},
): Promise<Processed> {
  const result: Processed = { outputs: instance.outputs.map(() => []), refused: [], calls: 0 };
  await withBatch({ bytes: 4 * 2 ** 20, limit: 20_000 }, async (batch) => {
    await withOutputs(instance.outputs.length, shape, (outputs) => {
      batch.outputs = outputs;
      batch.source = source;
      fill(batch, events);
      processAll(instance, batch, result);
    });
  });
  return result;
}

function processAll(instance: BuiltinInstance, batch: Batch, result: Processed): void {
  const sequences = given(batch).map(({ sequence }) => sequence);
  const skipped = { count: 0, offset: 0 };
  const window = new Batch({ bytes: 0, limit: 0 });
  window.showPartOf(batch, { offset: 0, end: batch.length, count: batch.count });
  window.outputs = batch.outputs;
  for (;;) {
    const cursor = window.cursor;
    const status = instance.process(window);
    result.calls++;
    const wrote = batch.outputs.some((output) => output.count > 0 || output.required > 0);
    for (const [index, output] of batch.outputs.entries()) {
      result.outputs[index]!.push(...given(output));
      const { required } = output;
      output.reset();
      if (required > output.capacity) output.resize(required);
    }
    if (status === Status.OK) break;
    if (status === Status.MORE) {
      assert.ok(wrote, "MORE without having written anything");
      continue;
    }
    assert.equal(status, Status.INVALID);
    const index = skipped.count + before(window, cursor) + window.done;
    result.refused.push([sequences[index]!, instance.error()]);
    skipped.count = index + 1;
    skipped.offset = offsetBehind(batch, index);
    if (skipped.count === batch.count) break;
    window.showPartOf(batch, {
      offset: skipped.offset,
      end: batch.length,
      count: batch.count - skipped.count,
    });
    window.outputs = batch.outputs;
  }
  window.free();
}

/** Records of `batch` before byte `cursor`. */
function before(batch: Batch, cursor: number): number {
  const reader = new RecordReader().open(batch);
  let count = 0;
  while (reader.end < cursor && reader.next()) count++;
  return count;
}

function offsetBehind(batch: Batch, index: number): number {
  const reader = new RecordReader().open(batch);
  while (reader.index < index) assert.ok(reader.next());
  return reader.end;
}

async function withOutputs(
  count: number,
  shape: BatchShape,
  body: (outputs: Batch[]) => void,
  outputs: Batch[] = [],
): Promise<void> {
  if (outputs.length === count) return body(outputs);
  await withBatch(shape, (output) => withOutputs(count, shape, body, [...outputs, output]));
}

/** The events in a batch. */
export function given(batch: Batch): Given[] {
  const reader = new RecordReader().open(batch);
  const events: Given[] = [];
  while (reader.next()) {
    events.push({
      payload: decoder.decode(reader.payload),
      key: decoder.decode(reader.key),
      attributes: Object.fromEntries(reader.attributes()),
      sequence: reader.sequence,
      source: reader.source,
      timestamp: reader.timestamp,
      operation: nameIn(Operation, reader.operation),
      contentType: nameIn(ContentType, reader.contentType),
      marked: (reader.flags & RecordFlag.MARKED) !== 0,
    });
  }
  assert.equal(reader.malformed, "");
  assert.equal(events.length, batch.count);
  return events;
}

function nameIn(numbers: Record<string, number>, number: number): string {
  return Object.keys(numbers).find((name) => numbers[name] === number)!.toLowerCase();
}

/** JSON events of these values. */
export function json(...values: unknown[]): TestEvent[] {
  return values.map((value) => ({
    payload: typeof value === "string" ? value : JSON.stringify(value),
    contentType: ContentType.JSON,
  }));
}

/** Numbers that look random, the same ones each time. */
export function* numbers(seed: number): Generator<number> {
  for (let state = seed >>> 0;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield (state >>> 8) / 2 ** 24;
  }
}
