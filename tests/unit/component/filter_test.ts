import assert from "node:assert/strict";
import { ContentType, RecordFlag, Status } from "../../../ffi/layout.ts";
import { attributeBytes } from "../../../src/event/attributes.ts";
import { json, numbers, processed } from "./processing.ts";
import { fill, type TestEvent, withBatch, withBuiltin } from "./support.ts";

const where = (text: string, on_error = "dead_letter") => ({
  config: { where: text, on_error },
});

Deno.test("filter sorts events as a plain loop does, whatever fits into an output", async () => {
  const chance = numbers(1);
  const next = () => chance.next().value as number;
  for (let round = 0; round < 30; round++) {
    const events: TestEvent[] = Array.from({ length: Math.floor(next() * 600) }, (_, i) => ({
      payload: JSON.stringify({
        [next() < 0.05 ? "m" : "n"]: Math.floor(next() * 10),
        pad: "ä".repeat(next() * 60),
      }),
      key: `k${i}`,
      contentType: next() < 0.5 ? ContentType.JSON : ContentType.TEXT,
      flags: next() < 0.2 ? RecordFlag.MARKED : 0,
      timestamp: BigInt(i),
      attributes: attributeBytes(next() < 0.3 ? [["a", String(i)]] : []),
    }));
    const limit = Math.floor(next() * 5);
    const numberOf = (event: TestEvent): number => JSON.parse(event.payload as string).n;
    const outputs = next() < 0.5 ? ["out", "rejected"] : ["out"];
    await withBuiltin("filter", { ...where(`payload.n < ${limit}`), outputs }, async (host) => {
      const shape = { bytes: 512 + Math.floor(next() * 8000), limit: 1 + Math.floor(next() * 300) };
      const { outputs: found, refused } = await processed(host.instance, events, shape);
      const expected = [
        events.filter((one) => numberOf(one) < limit),
        ...outputs.length > 1 ? [events.filter((one) => numberOf(one) >= limit)] : [],
      ];
      const bad = events.flatMap((event, i) => numberOf(event) === undefined ? [i + 1] : []);
      assert.deepEqual(refused.map(([sequence]) => sequence), bad);
      for (const [output, wanted] of expected.entries()) {
        assert.deepEqual(
          found[output]!.map(({ payload, key, attributes, marked, timestamp, sequence }) => ({
            payload,
            key,
            attributes,
            marked,
            timestamp,
            sequence,
          })),
          wanted.map((event) => ({
            payload: event.payload,
            key: event.key,
            attributes: event.attributes!.length > 0 ? { a: String(event.timestamp) } : {},
            marked: event.flags !== 0,
            timestamp: event.timestamp,
            sequence: events.indexOf(event) + 1,
          })),
        );
      }
    });
  }
});

Deno.test("filter passes payloads on byte by byte", async () => {
  const payload = '{ "big": 12345678901234567890, "float": 1.10, "n":1 }';
  await withBuiltin("filter", where("payload.n == 1"), async ({ instance }) => {
    const { outputs: [out] } = await processed(instance, json(payload));
    assert.deepEqual(out!.map((event) => event.payload), [payload]);
  });
});

Deno.test("filter gives what it cannot decide to on_failure, with the reason, and goes on behind it", async () => {
  const events = json({ n: 1 }, {}, "{", { n: "x" }, { n: 2 }, { n: true });
  await withBuiltin("filter", where("payload.n > 0"), async ({ instance }) => {
    const { outputs: [out], refused } = await processed(instance, events);
    assert.deepEqual(out!.map(({ sequence }) => sequence), [1, 5]);
    assert.deepEqual(refused.map(([sequence]) => sequence), [2, 3, 4, 6]);
    assert.equal(refused[0]![1], "Cannot evaluate where: No such key: n");
    assert.match(refused[1]![1], /^Cannot evaluate where: Payload is not JSON: /);
    assert.equal(refused[2]![1], "Cannot evaluate where: No such overload: string > int");
  });
});

Deno.test("filter drops what it cannot decide, or marks it and says why", async () => {
  const events = json({ n: 1 }, {}, { n: 0 }, { n: 3 });
  events[1]!.attributes = attributeBytes([["a", "b"], ["busbar.error", "old"]]);
  await withBuiltin("filter", where("payload.n > 0", "drop"), async ({ instance }) => {
    const { outputs: [out], refused } = await processed(instance, events);
    assert.deepEqual([out!.map(({ sequence }) => sequence), refused], [[1, 4], []]);
  });
  await withBuiltin("filter", where("payload.n > 0", "mark"), async ({ instance }) => {
    for (const limit of [1, 2, 100]) {
      const { outputs: [out, rejected], refused } = await processed(instance, events, { limit });
      assert.deepEqual(refused, []);
      assert.deepEqual(out!.map(({ sequence, marked }) => [sequence, marked]), [
        [1, false],
        [2, true],
        [4, false],
      ]);
      assert.deepEqual(out![1]!.attributes, {
        a: "b",
        "busbar.error": "Cannot evaluate where: No such key: n",
      });
      assert.deepEqual(rejected!.map(({ sequence }) => sequence), [3]);
    }
  });
});

Deno.test("filter takes an empty batch, and an event larger than an output", async () => {
  await withBuiltin("filter", where("size > 5000"), async ({ instance }) => {
    const events = [{ payload: "x".repeat(100_000) }, { payload: "" }];
    const { outputs: [out, rejected] } = await processed(instance, events, { bytes: 1024 });
    assert.deepEqual([out!.length, rejected!.length], [1, 1]);
    const empty = await processed(instance, []);
    assert.deepEqual([empty.outputs, empty.calls], [[[], []], 1]);
  });
});

Deno.test("filter refuses a batch whose records do not fit", async () => {
  await withBuiltin("filter", where("true"), async ({ instance }) => {
    await withBatch({}, async (out) => {
      await withBatch({}, (batch) => {
        fill(batch, json({ n: 1 }, { n: 2 }));
        batch.outputs = [out, out];
        batch.length -= 8;
        assert.equal(instance.process(batch), Status.INVALID);
        assert.equal(batch.done, 1);
      });
    });
  });
});
