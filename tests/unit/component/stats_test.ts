import assert from "node:assert/strict";
import { join } from "node:path";
import { ContentType, RecordFlag, Status } from "../../../ffi/layout.ts";
import { JsonField } from "../../../src/component/builtin/json_field.ts";
import { fill, type TestEvent, withBatch, withBuiltin } from "./support.ts";

interface Written {
  events: number;
  bytes: number;
  marked: number;
  events_per_second: number;
  groups: Record<string, number>;
}

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readJson(path: string): Promise<Written> {
  return JSON.parse(await Deno.readTextFile(path));
}

const json = (value: unknown): TestEvent => ({
  payload: JSON.stringify(value),
  contentType: ContentType.JSON,
});

/** What the file says after these batches and the stop. */
async function counted(
  config: Record<string, unknown>,
  batches: TestEvent[][],
): Promise<Written> {
  let written: Written | undefined;
  await withFolder(async (folder) => {
    const file = join(folder, "made", "stats.json");
    const settings = { interval: "0s", file, ...config };
    await withBuiltin("stats", { config: settings }, async ({ instance, logs }) => {
      assert.equal(await instance.start(), Status.OK, instance.error());
      await withBatch({ bytes: 1024 * 1024, limit: 10_000 }, async (batch) => {
        for (const events of batches) {
          assert.equal(await instance.write(fill(batch, events)), Status.OK);
        }
      });
      assert.equal(await instance.stop(), Status.OK, instance.error());
      written = await readJson(file);
      assert.equal(logs.length, 1, "one summary, at the stop");
      assert.equal(logs[0]!.fields["events"], written.events);
    });
    assert.deepEqual([...Deno.readDirSync(join(folder, "made"))].map(({ name }) => name), [
      "stats.json",
    ]);
  });
  return written!;
}

Deno.test("stats counts events, bytes, marked events and the values of a field", async () => {
  const { events_per_second, ...rest } = await counted({ group_by: "status" }, [
    [json({ status: 200 }), json({ status: 404 }), json({ status: 200, marked: 1 })],
    [{ ...json({ status: "200" }), flags: RecordFlag.MARKED }, json({}), { payload: "no JSON" }],
  ]);
  assert.deepEqual(rest as unknown, {
    events: 6,
    bytes: 14 + 14 + 25 + 16 + 2 + 7,
    marked: 1,
    groups: { "200": 3, "404": 1, none: 2 },
    counted_to: { access: 6 },
  });
  assert.ok(events_per_second >= 0);
});

Deno.test("stats keeps max_groups groups and counts the rest under other", async () => {
  const events = Array.from({ length: 100 }, (_, i) => json({ id: i % 10 }));
  const { groups } = await counted({ group_by: "id", max_groups: 3 }, [events]);
  assert.deepEqual(groups, { "0": 10, "1": 10, "2": 10, other: 70 });
});

Deno.test("stats without group_by has no groups", async () => {
  assert.deepEqual((await counted({}, [[json({ status: 200 })]])).groups, {});
});

Deno.test("stats writes its file at a flush and at the interval, and logs a summary at the interval", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "stats.json");
    const config = { file, interval: "5ms", group_by: "a" };
    await withBuiltin("stats", { config }, async ({ instance, logs }) => {
      await instance.start();
      await withBatch({}, async (batch) => {
        await instance.write(fill(batch, [json({ a: 1 })]));
        assert.equal(await instance.flush(), Status.OK);
        assert.equal((await readJson(file)).events, 1);
        await instance.write(fill(batch, [json({ a: 2 })]));
        while ((await readJson(file)).events < 2) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      });
      const summary = logs.at(-1)!;
      assert.equal(summary.message, "Statistics");
      assert.deepEqual(summary.fields["groups"], { "1": 1, "2": 1 });
      await instance.stop();
    });
  });
});

Deno.test("stats does not succeed with a flush while its file cannot be written, and counts on", async () => {
  await withFolder(async (folder) => {
    const blocked = join(folder, "blocked");
    await Deno.writeTextFile(blocked, "");
    const file = join(blocked, "stats.json");
    await withBuiltin("stats", { config: { file, interval: "0s" } }, async (host) => {
      const { instance, logs } = host;
      await instance.start();
      await withBatch({}, async (batch) => {
        await instance.write(fill(batch, [json({})]));
        assert.equal(await instance.flush(), Status.FAILED);
        assert.match(String(logs.at(-1)!.fields["error"]), /^Cannot write ".*stats\.json": /);
        await Deno.remove(blocked);
        assert.equal(await instance.flush(), Status.OK);
        assert.equal((await readJson(file)).events, 1);
      });
      await instance.stop();
    });
  });
});

Deno.test("stats counts on after a crash: what its file holds already is not counted again", async () => {
  await withFolder(async (folder) => {
    const config = { file: join(folder, "stats.json"), interval: "0s", group_by: "n" };
    const run = (from: number, to: number, acknowledged: number, stop: boolean) =>
      withBuiltin("stats", { config }, async ({ instance }) => {
        instance.setResume({
          position: new Uint8Array(0),
          acknowledged: [{ sourceId: "in", source: 0, sequence: acknowledged }],
        });
        await instance.start();
        await withBatch({}, async (batch) => {
          batch.nextSequence = from;
          const events = Array.from({ length: to - from + 1 }, (_, i) => json({ n: from + i }));
          await instance.write(fill(batch, events));
          if (!stop) await instance.flush();
        });
        if (stop) await instance.stop();
      });
    await run(1, 10, 0, false);
    // The crash came before the checkpoint that the flush was made for.
    await run(5, 15, 4, true);
    const { events, groups } = await readJson(config.file);
    assert.equal(events, 15);
    assert.deepEqual(Object.values(groups), Array(15).fill(1));
    // A run from the beginning is not the continuation of an older one.
    await run(1, 3, 0, true);
    assert.equal((await readJson(config.file)).events, 3);
  });
});

Deno.test("stats writes a file for each partition", async () => {
  await withFolder(async (folder) => {
    const config = { file: join(folder, "stats.json"), interval: "0s" };
    for (const partitionIndex of [0, 1]) {
      await withBuiltin("stats", { config, partitionIndex, partitionCount: 2 }, async (host) => {
        await host.instance.start();
        await host.instance.stop();
      });
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "stats.json.0",
      "stats.json.1",
    ]);
  });
});

// ---- The field of a JSON object ------------------------------------------------------------------------

/** What JSON.parse says about it. */
function parsed(text: string, name: string): string | undefined {
  try {
    const value = JSON.parse(text);
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) {
      return undefined;
    }
    const member = value[name];
    return typeof member === "object" && member !== null ? undefined : String(member);
  } catch {
    return undefined;
  }
}

function find(text: string, name: string): string | undefined {
  return new JsonField(name).find(new TextEncoder().encode(text));
}

Deno.test("JsonField finds what JSON.parse finds", () => {
  const texts = [
    '{"a":200}',
    ' {\n\t"a" : 200 }\r\n',
    '{"b":{"a":1},"a":2}',
    '{"b":[{"a":1},"a"],"a":2}',
    '{"b":"\\"a\\":1","a":2}',
    '{"b":"}","a":"{"}',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":3}',
    '{"a\\u0000":1,"a":2}',
    '{"a":"x\\ny"}',
    '{"a":"grün 🙂"}',
    '{"a":""}',
    '{"a":true,"b":1}',
    '{"a":null}',
    '{"a":false}',
    '{"a":-12}',
    '{"a":-0}',
    '{"a":0}',
    '{"a":1.0}',
    '{"a":1e2}',
    '{"a":12345678901234567890}',
    '{"a":999999999999999}',
    '{"a":{"a":1}}',
    '{"a":[1,2]}',
    '{"ab":1,"A":2}',
    '{"":1}',
    "{}",
    "[]",
    '["a"]',
    '"a"',
    "12",
    "null",
    "",
    " ",
    "{",
    '{"a"',
    '{"a":',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    '{"a":1}}',
    '{"a":1} x',
    '{"a":01}',
    '{"a":+1}',
    '{"a":1 2}',
    '{"a":"1""2"}',
    '{"a":"x',
    '{"a":tru}',
    "{a:1}",
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{"a":"\u0001"}',
    '\ufeff{"a":1}',
  ];
  for (const text of texts) {
    for (const name of ["a", "", "b"]) {
      assert.equal(find(text, name), parsed(text, name), `${name} of ${text}`);
    }
  }
});

Deno.test("JsonField finds what JSON.parse finds in random objects", () => {
  let state = 12345;
  const random = (n: number) => {
    state = Math.imul(state, 1103515245) + 12345 & 0x7fffffff;
    return (state >> 8) % n;
  };
  const keys = ["a", "b", "status", "sta", "tus", "ü", 'q"', "back\\slash", ""];
  const value = (depth: number): unknown => {
    switch (random(depth > 2 ? 6 : 8)) {
      case 0:
        return random(1000) - 500;
      case 1:
        return random(1000) / 7;
      case 2:
        return keys[random(keys.length)]! + "{[,:]}"[random(6)];
      case 3:
        return random(2) === 0;
      case 4:
        return null;
      case 5:
        return 10 ** random(25);
      case 6:
        return Array.from({ length: random(4) }, () => value(depth + 1));
      default:
        return object(depth + 1);
    }
  };
  const object = (depth: number): Record<string, unknown> =>
    Object.fromEntries(
      Array.from({ length: random(6) }, () => [keys[random(keys.length)]!, value(depth)]),
    );
  for (let i = 0; i < 3000; i++) {
    const text = JSON.stringify(object(0), null, random(3));
    for (const name of keys) {
      assert.equal(find(text, name), parsed(text, name), `${name} of ${text}`);
    }
  }
});
