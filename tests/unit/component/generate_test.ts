import assert from "node:assert/strict";
import { ContentType, Status } from "../../../ffi/layout.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { withBatch, withBuiltin } from "./support.ts";

interface Generated {
  key: string;
  payload: string;
  contentType: number;
}

function read(batch: Batch): Generated[] {
  const decoder = new TextDecoder();
  const reader = new RecordReader().open(batch);
  const found: Generated[] = [];
  while (reader.next()) {
    const { key, payload, contentType } = reader;
    found.push({ key: decoder.decode(key), payload: decoder.decode(payload), contentType });
  }
  assert.equal(reader.malformed, "");
  return found;
}

/** All that the source gives until it ends, and where it then resumes. */
async function generated(
  config: Record<string, unknown>,
  options: {
    position?: Uint8Array;
    limit?: number;
    most?: number;
    partitionIndex?: number;
    partitionCount?: number;
  } = {},
): Promise<{ events: Generated[]; position: Uint8Array }> {
  const { most = Infinity, limit = 7 } = options;
  const events: Generated[] = [];
  let position = options.position ?? new Uint8Array(0);
  await withBuiltin("generate", { config, ...options }, async ({ instance }) => {
    instance.setResume({ position, acknowledged: [] });
    assert.equal(await instance.start(), Status.OK, instance.error());
    await withBatch({ limit, bytes: 256 * 1024 }, async (batch) => {
      while (events.length < most) {
        batch.reset();
        const status = await instance.poll(batch);
        assert.ok(status === Status.OK || status === Status.DONE, `status ${status}`);
        events.push(...read(batch));
        if (batch.count > 0) position = batch.positionBuffer.slice(0, batch.positionLength);
        if (status === Status.DONE) break;
      }
    });
    await instance.stop();
  });
  return { events, position };
}

Deno.test("generate gives `count` events of `payload_size` printable bytes, then DONE", async () => {
  const { events } = await generated({ count: 100, payload_size: "1KiB" });
  assert.deepEqual(
    events.map(({ key }) => Number(key)),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  assert.ok(events.every(({ payload }) => /^[ -~]{1024}$/.test(payload)));
  assert.ok(events.every(({ contentType }) => contentType === ContentType.TEXT));
  assert.equal(new Set(events.map(({ payload }) => payload)).size, 100);
  assert.deepEqual((await generated({ count: 0 })).events, []);
});

Deno.test("generate gives the same payloads for a seed, others for another", async () => {
  const payloads = async (seed: number) =>
    (await generated({ count: 50, seed })).events.map(({ payload }) => payload);
  assert.deepEqual(await payloads(1), await payloads(1));
  assert.notDeepEqual(await payloads(1), await payloads(2));
});

Deno.test("generate resumes right behind its position, with the same events as without the interruption", async () => {
  for (const json of [false, true]) {
    const config = { count: 100, json };
    const all = (await generated(config)).events;
    const first = await generated(config, { most: 30, limit: 10 });
    const rest = await generated(config, { position: first.position, limit: 9 });
    assert.deepEqual([...first.events, ...rest.events], all);
    const none = await generated(config, { position: rest.position });
    assert.deepEqual(none.events, []);
  }
});

Deno.test("generate with json gives objects of exactly payload_size bytes where that is possible", async () => {
  for (const size of [40, 41, 42, 43, 44, 45, 46, 47, 48, 64, 1000]) {
    const { events } = await generated({ count: 200, payload_size: size, json: true });
    for (const [i, { payload, contentType }] of events.entries()) {
      assert.equal(contentType, ContentType.JSON);
      assert.equal(payload.length, size);
      const { sequence, value } = JSON.parse(payload);
      assert.equal(sequence, i + 1);
      assert.ok(Number.isInteger(value) && value >= 0 && value < 1000);
    }
  }
  const { events } = await generated({ count: 1, payload_size: 0, json: true });
  assert.equal(JSON.parse(events[0]!.payload).sequence, 1);
});

Deno.test("generate with a fixed payload gives that, whatever payload_size says", async () => {
  const { events } = await generated({ count: 3, payload: "grüezi" });
  assert.deepEqual(events.map(({ payload }) => payload), ["grüezi", "grüezi", "grüezi"]);
});

Deno.test("generate gives each partition its share: together all events once, a key always to the same", async () => {
  const all = (await generated({ count: 100 })).events;
  const parts = await Promise.all(
    [0, 1, 2].map((partitionIndex) =>
      generated({ count: 100 }, { partitionIndex, partitionCount: 3 })
    ),
  );
  const merged = parts.flatMap(({ events }) => events).sort((a, b) =>
    Number(a.key) - Number(b.key)
  );
  assert.deepEqual(merged, all);
  const half = await generated({ count: 100 }, {
    partitionIndex: 1,
    partitionCount: 3,
    most: 10,
    limit: 10,
  });
  const rest = await generated({ count: 100 }, {
    partitionIndex: 1,
    partitionCount: 3,
    position: half.position,
  });
  assert.deepEqual([...half.events, ...rest.events], parts[1]!.events);
});

Deno.test("generate at a rate gives what is due, then AGAIN, and wakes the cell when more is due", async () => {
  await withBuiltin("generate", { config: { rate: "50/s", count: 4 } }, async (host) => {
    const { instance } = host;
    const begin = performance.now();
    assert.equal(await instance.start(), Status.OK);
    await withBatch({}, async (batch) => {
      assert.equal(await instance.poll(batch), Status.AGAIN);
      while (batch.count < 4) {
        while (!instance.takeWake()) await new Promise((resolve) => setTimeout(resolve, 1));
        const status = await instance.poll(batch);
        if (batch.count === 4) assert.equal(status, Status.DONE);
      }
      assert.ok(performance.now() - begin >= 59, "three intervals of 20 ms have passed");
      assert.ok(host.interrupts >= 1);
    });
    await instance.stop();
  });
});

Deno.test("generate says with `required` that a record does not fit into the arena, and goes on with a larger one", async () => {
  await withBuiltin("generate", { config: { payload_size: "10KiB" } }, async ({ instance }) => {
    await instance.start();
    await withBatch({ bytes: 4096 }, async (batch) => {
      assert.equal(await instance.poll(batch), Status.OK);
      assert.equal(batch.count, 0);
      assert.ok(batch.required > 10 * 1024 && batch.required < 11 * 1024);
      batch.resize(batch.required);
      assert.equal(await instance.poll(batch), Status.OK);
      assert.equal(batch.count, 1);
      assert.equal(read(batch)[0]!.key, "1");
    });
  });
});

Deno.test("generate refuses settings that it cannot work with, and a position that is not its own", async () => {
  const make = (config: Record<string, unknown>) => withBuiltin("generate", { config }, () => {});
  await assert.rejects(make({ rate: "0/s" }), /rate "0\/s": it is 0/);
  await assert.rejects(make({ payload_size: "1GiB" }), /payload_size is at most/);
  await assert.rejects(make({ payload: "x", json: true }), /const/);
  await assert.rejects(make({ size: 1 }), /additionalProperties/);
  await withBuiltin("generate", {}, async ({ instance }) => {
    instance.setResume({ position: new Uint8Array(3), acknowledged: [] });
    assert.equal(await instance.start(), Status.FAILED);
    assert.match(instance.error(), /Cannot resume at a position of 3 bytes/);
  });
});

Deno.test("generate has its events numbered by the batch, and its position set with them", async () => {
  await withBuiltin("generate", { config: { count: 10 } }, async ({ instance }) => {
    await instance.start();
    await withBatch({ limit: 4 }, async (batch) => {
      batch.nextSequence = 2 ** 33;
      await instance.poll(batch);
      const reader = new RecordReader().open(batch);
      assert.ok(reader.next() && reader.sequence === 2 ** 33);
      assert.equal(batch.nextSequence, 2 ** 33 + 4);
      assert.equal(batch.positionLength, 8);
    });
  });
});
