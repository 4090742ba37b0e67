import assert from "node:assert/strict";
import { ContentType, Status } from "../../../ffi/layout.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { EventView } from "../../../src/expression/event_view.ts";
import { json, numbers } from "./processing.ts";
import { fill, type TestEvent, withBatch, withBuiltin } from "./support.ts";

const PIECES = ['{"a":1}', "[1,{}]", '{"n":12345678901234567890}', '"text"', "7", "null", "", "{x"];
const TYPES = [ContentType.JSON, ContentType.TEXT, ContentType.BYTES, ContentType.CBOR];

/** What a view reads of every payload from byte `cursor` on. */
function payloads(batch: Batch, cursor = 0): unknown[] {
  const view = new EventView(["access"]).open(batch, cursor);
  const found: unknown[] = [];
  while (view.next()) {
    try {
      found.push(view.payload);
    } catch (error) {
      found.push((error as Error).message);
    }
  }
  return found;
}

/** Has the processor make `out` of `batch` in one call. */
async function pass(
  name: string,
  config: Record<string, unknown>,
  { batch, out }: { batch: Batch; out: Batch },
): Promise<void> {
  await withBuiltin(name, { config, outputs: ["out"] }, ({ instance }) => {
    batch.outputs = [out];
    batch.rewind();
    assert.equal(instance.process(batch), Status.OK);
  });
}

async function withThree(
  body: (first: Batch, second: Batch, third: Batch) => Promise<void>,
): Promise<void> {
  await withBatch(
    {},
    (first) => withBatch({}, (second) => withBatch({}, (third) => body(first, second, third))),
  );
}

Deno.test("values that a batch brings with it are what its payloads are", async () => {
  const chance = numbers(9);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  let known = 0;
  for (let round = 0; round < 20; round++) {
    const events = Array.from({ length: 1 + next(300) }, (): TestEvent => ({
      payload: PIECES[next(PIECES.length)]!,
      contentType: TYPES[next(TYPES.length)]!,
    }));
    const where = 'sequence % 7 > 1 && (sequence % 3 == 0 || payload != "text")';
    await withThree(async (first, second, third) => {
      fill(first, events);
      await pass("parse", { format: "json", on_error: "mark" }, { batch: first, out: second });
      await pass("filter", { where, on_error: "mark" }, { batch: second, out: third });
      for (const batch of [second, third]) {
        known += batch.values.filter((value) => value !== undefined).length;
        assert.ok(batch.values.length <= batch.count);
        const brought = payloads(batch);
        const half = brought.length >> 1;
        const reader = new EventView([]).open(batch);
        for (let i = 0; i <= half; i++) reader.next();
        const rest = payloads(batch, reader.reader.offset);
        batch.values = [];
        assert.deepEqual(brought, payloads(batch));
        assert.deepEqual(rest, brought.slice(half));
      }
    });
  }
  assert.ok(known > 500, `${known} values`);
});

Deno.test("a batch that is used again has no values of the one before", async () => {
  await withThree(async (first, second) => {
    fill(first, json({ a: 1 }, { a: 2 }));
    await pass("filter", { where: "payload.a > 0" }, { batch: first, out: second });
    assert.deepEqual(second.values, [{ a: 1 }, { a: 2 }]);
    fill(second, json({ b: 1 }));
    assert.deepEqual(payloads(second), [{ b: 1 }]);
  });
});

Deno.test("a window on a batch has its values where it begins with it", async () => {
  await withThree(async (first, second) => {
    fill(first, json({ a: 1 }, { a: 2 }, { a: 3 }));
    await pass("filter", { where: "payload.a > 0" }, { batch: first, out: second });
    const view = new EventView([]).open(second);
    view.next();
    const offset = view.reader.end;
    await withBatch({ bytes: 0, limit: 0 }, (window) => {
      window.showPartOf(second, { offset: 0, end: offset, count: 1 });
      assert.equal(window.values, second.values);
      assert.deepEqual(payloads(window), [{ a: 1 }]);
      window.showPartOf(second, { offset, end: second.length, count: 2 });
      assert.deepEqual(payloads(window), [{ a: 2 }, { a: 3 }]);
    });
  });
});
