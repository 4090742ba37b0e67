import assert from "node:assert/strict";
import { deflateSync, gzipSync } from "node:zlib";
import { Status } from "../../../ffi/layout.ts";
import type { Call, CallMade, HeaderPair } from "../../../src/component/call.ts";
import { attributePairs } from "../../../src/event/attributes.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { type Host, withBatch, withBuiltin } from "./support.ts";

function request(body: string, headers: HeaderPair[] = []): Call {
  return {
    id: 1,
    call: "receive",
    deadline: 0,
    maxOutput: 1000,
    method: "POST",
    path: "/",
    query: "",
    headers,
    body: new TextEncoder().encode(body),
  };
}

const NDJSON: HeaderPair[] = [["content-type", "application/x-ndjson; charset=utf-8"]];

function bodyOf({ answer }: CallMade) {
  return [answer.status, JSON.parse(new TextDecoder().decode(answer.body))] as const;
}

function payloads(batch: Batch): string[] {
  const reader = new RecordReader().open(batch);
  const found: string[] = [];
  while (reader.next()) found.push(new TextDecoder().decode(reader.payload));
  return found;
}

/** Whether the promise has settled already. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const none = {};
  return await Promise.race([promise, new Promise((next) => setTimeout(() => next(none), 0))]) !==
    none;
}

async function started(
  given: { config?: Record<string, unknown>; buffered?: boolean },
  body: (host: Host) => Promise<void>,
): Promise<void> {
  await withBuiltin("source/http", given, async (host) => {
    await host.instance.start();
    await body(host);
  });
}

Deno.test("an event has what its request says", async () => {
  const config = {
    key_header: "X-Key",
    headers: ["x-event", "X-None"],
    operation: "update",
  };
  await started({ config }, async ({ instance }) => {
    const headers: HeaderPair[] = [
      ["content-type", "application/json"],
      ["x-key", "k"],
      ["x-event", "push"],
    ];
    const answer = instance.receive(request('{"a":1}', headers));
    assert.ok(instance.takeWake());
    await withBatch({}, async (batch) => {
      assert.equal(instance.poll(batch), Status.AGAIN);
      assert.deepEqual(bodyOf(await answer), [202, { accepted: 1 }]);
      const reader = new RecordReader().open(batch);
      assert.ok(reader.next());
      assert.deepEqual([reader.contentType, reader.operation], [2, 2]);
      assert.equal(new TextDecoder().decode(reader.key), "k");
      assert.deepEqual(attributePairs(reader.rawAttributes), [["x-event", "push"]]);
      assert.ok(reader.timestamp > 0n);
    });
  });
});

Deno.test("a request goes over several batches, and is answered after its last event", async () => {
  await started({}, async ({ instance }) => {
    const answer = instance.receive(request("1\n2\n3\n4\n5", NDJSON));
    await withBatch({ limit: 2 }, async (batch) => {
      for (const [status, expected] of [[0, ["1", "2"]], [0, ["3", "4"]]] as const) {
        batch.reset();
        assert.equal(instance.poll(batch), status);
        assert.deepEqual(payloads(batch), expected);
        assert.equal(await settled(answer), false);
      }
      batch.reset();
      assert.equal(instance.poll(batch), Status.AGAIN);
      assert.deepEqual(bodyOf(await answer), [202, { accepted: 5 }]);
    });
  });
});

Deno.test("with a buffer a request is answered once its events are committed", async () => {
  await started({ buffered: true }, async ({ instance }) => {
    const first = instance.receive(request("1\n2", NDJSON));
    const second = instance.receive(request("3", NDJSON));
    await withBatch({}, async (batch) => {
      instance.poll(batch);
      assert.equal(await settled(first), false);
      const position = new Uint8Array(8);
      const view = new DataView(position.buffer);
      view.setBigUint64(0, 2n, true);
      instance.commit(position);
      assert.deepEqual(bodyOf(await first), [202, { accepted: 2 }]);
      assert.equal(await settled(second), false);
      instance.commit(batch.positionBuffer.slice(0, batch.positionLength));
      assert.deepEqual(bodyOf(await second), [202, { accepted: 1 }]);
    });
  });
});

Deno.test("a full queue refuses, and a stop answers all who wait", async () => {
  await started({ config: { queue: 10 } }, async ({ instance }) => {
    const waiting = instance.receive(request("x".repeat(100)));
    const refused = await instance.receive(request("y"));
    assert.equal(bodyOf(refused)[0], 429);
    assert.deepEqual(refused.answer.headers.at(-1), ["retry-after", "1"]);
    await instance.stop();
    assert.equal(bodyOf(await waiting)[0], 503);
    assert.equal(bodyOf(await instance.receive(request("z")))[0], 503);
  });
});

Deno.test("what is no event is answered at once", async () => {
  await started({ config: { format: "array" } }, async ({ instance }) => {
    assert.deepEqual(bodyOf(await instance.receive(request("[]"))), [202, { accepted: 0 }]);
    const [status, { error }] = bodyOf(await instance.receive(request("[1")));
    assert.deepEqual([status, error.code], [400, "Invalid"]);
  });
});

Deno.test("settings that contradict each other are refused", async () => {
  const config = { key_header: "a", key_pointer: "/b" };
  await assert.rejects(withBuiltin("source/http", { config }, () => {}), /name one of them/);
});

Deno.test("compressed bodies are unpacked, and what cannot be is refused", async () => {
  const packed = (encoding: string, body: Uint8Array): Call => ({
    ...request("", [...NDJSON, ["content-encoding", encoding]]),
    body,
  });
  const text = new TextEncoder().encode("1\n2");
  await started({}, async ({ instance }) => {
    const answers = [
      instance.receive(packed("GZIP", gzipSync(text))),
      instance.receive(packed("deflate", deflateSync(text))),
      instance.receive(packed("identity", text)),
    ];
    await withBatch({}, async (batch) => {
      assert.equal(instance.poll(batch), Status.AGAIN);
      assert.deepEqual(payloads(batch), ["1", "2", "1", "2", "1", "2"]);
      for (const answer of answers) assert.deepEqual(bodyOf(await answer), [202, { accepted: 2 }]);
      for (
        const [encoding, body, status, code] of [
          ["br", text, 415, "UnsupportedEncoding"],
          ["gzip, gzip", text, 415, "UnsupportedEncoding"],
          ["constructor", text, 415, "UnsupportedEncoding"],
          ["gzip", text, 400, "Invalid"],
          ["gzip", gzipSync(text).subarray(0, 12), 400, "Invalid"],
          ["gzip", gzipSync(new Uint8Array(33 * 2 ** 20)), 413, "InputTooLarge"],
        ] as const
      ) {
        const [got, { error }] = bodyOf(await instance.receive(packed(encoding, body)));
        assert.deepEqual([got, error.code], [status, code], error.message);
      }
      batch.reset();
      assert.equal(instance.poll(batch), Status.AGAIN);
      assert.equal(batch.count, 0);
    });
  });
});

Deno.test("a queue is full by what compressed bodies hold", async () => {
  await started({ config: { queue: 100 } }, async ({ instance }) => {
    const waiting = instance.receive(request("x"));
    const body = gzipSync(new Uint8Array(1000));
    assert.ok(body.length < 99);
    const refused = await instance.receive({
      ...request("", [["content-encoding", "gzip"]]),
      body,
    });
    assert.equal(bodyOf(refused)[0], 429);
    await instance.stop();
    await waiting;
  });
});

Deno.test("keys keep all digits of long numbers", async () => {
  await started({ config: { key_pointer: "/id" } }, async ({ instance }) => {
    const ids = ["12345678901234567890", "-9007199254740993", "1.50", '"9007199254740993"'];
    const answer = instance.receive(request(ids.map((id) => `{"id":${id}}`).join("\n"), NDJSON));
    await withBatch({}, async (batch) => {
      instance.poll(batch);
      await answer;
      const reader = new RecordReader().open(batch);
      const keys: string[] = [];
      while (reader.next()) keys.push(new TextDecoder().decode(reader.key));
      assert.deepEqual(keys, [
        "12345678901234567890",
        "-9007199254740993",
        "1.5",
        "9007199254740993",
      ]);
    });
  });
});
