import assert from "node:assert/strict";
import { ContentType, Operation, RecordFlag, Status } from "../../../ffi/layout.ts";
import { fill, type TestEvent, withBatch, withBuiltin } from "./support.ts";

const ACKNOWLEDGED = [{ sourceId: "access", source: 0, sequence: 0 }];

/** The lines that stdout prints for these events. */
async function lines(
  events: TestEvent[],
  config: Record<string, unknown> = {},
): Promise<string[]> {
  let text = "";
  await withBuiltin("stdout", { config }, async ({ instance, printed }) => {
    instance.setResume({ position: new Uint8Array(0), acknowledged: ACKNOWLEDGED });
    await withBatch({ bytes: 4 * 1024 * 1024 }, async (batch) => {
      assert.equal(await instance.write(fill(batch, events)), Status.OK);
    });
    text = printed.join("");
  });
  return text.split("\n").slice(0, -1);
}

Deno.test("stdout prints a JSON object a line: sequence, source, timestamp, operation, key, payload", async () => {
  const printed = await lines([
    {
      payload: '{"a": 1}',
      contentType: ContentType.JSON,
      operation: Operation.UPDATE,
      key: "k1",
      timestamp: 1_763_663_100_123_456_789n,
    },
    { payload: "plain", contentType: ContentType.TEXT, flags: RecordFlag.MARKED },
  ]);
  assert.deepEqual(printed.map((line) => JSON.parse(line)), [
    {
      sequence: 1,
      source: "access",
      timestamp: "2025-11-20T18:25:00.123456789Z",
      operation: "update",
      key: "k1",
      payload: { a: 1 },
    },
    {
      sequence: 2,
      source: "access",
      timestamp: null,
      operation: "message",
      key: null,
      marked: true,
      payload: "plain",
    },
  ]);
});

Deno.test("stdout keeps JSON payloads as they are, on one line", async () => {
  const [line] = await lines([{
    payload: '{\r\n  "big": 12345678901234567890,\n  "text": "a\\nb"\n}',
    contentType: ContentType.JSON,
  }]);
  assert.ok(line!.includes('"big": 12345678901234567890'));
  assert.equal(JSON.parse(line!).payload.text, "a\nb");
});

Deno.test("stdout prints what is not JSON as text, and what is not UTF-8 in base64", async () => {
  const printed = await lines([
    { payload: '{"broken', contentType: ContentType.JSON },
    { payload: '{"text": true}', contentType: ContentType.TEXT },
    { payload: new Uint8Array([0xff, 0, 1]), contentType: ContentType.JSON },
    { payload: "", key: new Uint8Array([0xc3]) },
    { payload: 'quotes " and \\ and \u2028 and 🙂' },
  ]);
  const objects = printed.map((line) => JSON.parse(line));
  assert.equal(objects[0].payload, '{"broken');
  assert.equal(objects[1].payload, '{"text": true}');
  assert.equal(objects[2].payload_base64, "/wAB");
  assert.equal("payload" in objects[2], false);
  assert.equal(objects[3].key_base64, "ww==");
  assert.equal(objects[3].payload, "");
  assert.equal(objects[4].payload, 'quotes " and \\ and \u2028 and 🙂');
});

Deno.test("stdout with format payload prints the payload and a newline", async () => {
  const events = [{ payload: '{"a":1}', contentType: ContentType.JSON }, { payload: "zwei" }];
  assert.deepEqual(await lines(events, { format: "payload" }), ['{"a":1}', "zwei"]);
});

Deno.test("stdout waits until what it printed was taken", async () => {
  await withBuiltin("stdout", {}, async (host) => {
    let taken = () => {};
    host.printing = () => new Promise((resolve) => taken = resolve);
    await withBatch({}, async (batch) => {
      const result = host.instance.write(fill(batch, [{ payload: "x" }]));
      assert.equal(typeof result, "object");
      let written = false;
      const done = (result as Promise<number>).then((status) => (written = true, status));
      await new Promise((resolve) => setTimeout(resolve, 0));
      assert.equal(written, false);
      taken();
      assert.equal(await done, Status.OK);
    });
  });
});

Deno.test("stdout prints large batches in pieces that a message can hold, and splits no character", async () => {
  const text = "🙂".repeat(900_000);
  await withBuiltin("stdout", { config: { format: "payload" } }, async (host) => {
    await withBatch({ bytes: 8 * 1024 * 1024 }, async (batch) => {
      await host.instance.write(fill(batch, [{ payload: `x${text}` }]));
    });
    assert.ok(host.printed.length >= 2);
    assert.ok(host.printed.every((piece) => piece.length <= 1024 * 1024));
    assert.ok(host.printed.every((piece) => piece.isWellFormed()));
    assert.equal(host.printed.join(""), `x${text}\n`);
  });
});

Deno.test("a print that fails is FATAL with its message", async () => {
  await withBuiltin("stdout", {}, async (host) => {
    host.printing = () => Promise.reject(new Error("the host is gone"));
    await withBatch({}, async (batch) => {
      assert.equal(await host.instance.write(fill(batch, [{ payload: "x" }])), Status.FATAL);
    });
    assert.equal(host.instance.error(), "the host is gone");
  });
});

Deno.test("log writes a record for each event, at its level, with payload, key, sequence and operation", async () => {
  await withBuiltin("log", { config: { level: "debug" } }, async ({ instance, logs }) => {
    instance.setResume({ position: new Uint8Array(0), acknowledged: ACKNOWLEDGED });
    await withBatch({}, async (batch) => {
      const events = [
        { payload: "one", key: "k", operation: Operation.DELETE },
        { payload: new Uint8Array([0xff]), flags: RecordFlag.MARKED },
      ];
      assert.equal(await instance.write(fill(batch, events)), Status.OK);
    });
    assert.deepEqual(logs.map(({ level, message }) => [level, message]), [
      ["debug", "Event"],
      ["debug", "Event"],
    ]);
    const [first, second] = logs.map(({ fields }) => JSON.parse(JSON.stringify(fields)));
    const common = { pipeline: "test", plugin: "builtin", component: "it", source: "access" };
    assert.deepEqual(first, {
      ...common,
      sequence: 1,
      operation: "delete",
      key: "k",
      payload: "one",
    });
    assert.deepEqual(second, {
      ...common,
      sequence: 2,
      operation: "message",
      payload_base64: "/w==",
      marked: true,
    });
  });
});

Deno.test("log cuts payloads at max_payload, between characters, and says how long they were", async () => {
  await withBuiltin("log", { config: { max_payload: 7 } }, async ({ instance, logs }) => {
    await withBatch({}, async (batch) => {
      await instance.write(fill(batch, [{ payload: "1234567" }, { payload: "123456ü890" }]));
    });
    assert.equal(logs[0]!.fields["payload"], "1234567");
    assert.equal(logs[0]!.fields["payload_bytes"], undefined);
    assert.equal(logs[1]!.fields["payload"], "123456");
    assert.equal(logs[1]!.fields["payload_bytes"], 11);
  });
  await assert.rejects(
    withBuiltin("log", { config: { max_payload: "2KiB" } }, () => {}),
    /at most/,
  );
});

Deno.test("discard accepts everything", async () => {
  await withBuiltin("discard", {}, async ({ instance }) => {
    await withBatch({}, async (batch) => {
      assert.equal(await instance.write(fill(batch, [{ payload: "x" }])), Status.OK);
    });
  });
});

Deno.test("log, stdout and stats say INVALID at the record of a malformed batch", async () => {
  for (const name of ["log", "stdout", "stats"]) {
    await withBuiltin(
      name,
      { config: name === "stats" ? { interval: "0s" } : {} },
      async (host) => {
        await withBatch({}, async (batch) => {
          fill(batch, [{ payload: "1" }, { payload: "2" }, { payload: "3" }]);
          batch.view.setUint32(48, 7, true);
          assert.equal(await host.instance.write(batch), Status.INVALID, name);
          assert.equal(batch.done, 1, name);
        });
      },
    );
  }
});
