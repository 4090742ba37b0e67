import assert from "node:assert/strict";
import { ContentType, Status } from "../../../ffi/layout.ts";
import { attributeBytes } from "../../../src/event/attributes.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { waitFor } from "../../support/busbar.ts";
import { fill, type Host, type TestEvent, withBatch, withBuiltin } from "./support.ts";

interface Received {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}

type Answer = (request: Received, number: number) => Response | Promise<Response>;

/** Runs `action` with the address of a server, and what it has received. */
async function withServer(
  answer: Answer,
  action: (url: string, received: Received[]) => Promise<void>,
): Promise<void> {
  const received: Received[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const got = { method, path: pathname + search, headers, body: await request.text() };
    received.push(got);
    return await answer(got, received.length);
  });
  try {
    await action(`http://127.0.0.1:${server.addr.port}`, received);
  } finally {
    await server.shutdown();
  }
}

const OK: Answer = () => new Response("ok");

async function withReaction(
  config: Record<string, unknown>,
  action: (host: Host) => Promise<void>,
): Promise<void> {
  await withBuiltin("reaction/http", { config, sources: ["a"] }, async (host) => {
    assert.equal(await host.instance.start(), Status.OK, host.instance.error());
    await action(host);
    assert.equal(await host.instance.stop(), Status.OK);
  });
}

/** Offers a batch and waits for its end. */
async function offer(host: Host, batch: Batch) {
  const before = host.completions.length;
  assert.equal(await host.instance.write(batch), Status.PENDING, host.instance.error());
  await waitFor(() => host.completions.length > before);
  return host.completions.at(-1)!;
}

async function send(host: Host, events: readonly TestEvent[]) {
  let completion: Host["completions"][number] | undefined;
  await withBatch({}, async (batch) => {
    completion = await offer(host, fill(batch, events));
  });
  return completion!;
}

const json = (value: unknown): TestEvent => ({
  payload: typeof value === "string" ? value : JSON.stringify(value),
  contentType: ContentType.JSON,
});

Deno.test("http sends payloads as lines, as an array, or one by one", () =>
  withServer(OK, async (url, received) => {
    const events = [json('{"n":\n1}'), { payload: 'say "hi"', contentType: ContentType.TEXT }];
    for (const format of ["ndjson", "array", "single"]) {
      await withReaction({ url: `${url}/in`, format }, async (host) => {
        assert.equal((await send(host, events)).status, Status.OK);
      });
    }
    assert.deepEqual(received.map(({ body, headers }) => [headers.get("content-type"), body]), [
      ["application/x-ndjson", '{"n": 1}\nsay "hi"\n'],
      ["application/json", '[{"n":\n1},"say \\"hi\\""]'],
      ["application/json", '{"n":\n1}'],
      ["text/plain; charset=utf-8", 'say "hi"'],
    ]);
    assert.deepEqual([received[0]!.method, received[0]!.path], ["POST", "/in"]);
  }));

Deno.test("http makes requests of max_events and max_bytes, in order", () =>
  withServer(OK, async (url, received) => {
    const events = Array.from({ length: 10 }, (_, i) => ({ payload: `${i}`.repeat(1 + i * 4) }));
    await withReaction({ url, max_events: 4, max_bytes: 60 }, async (host) => {
      assert.equal((await send(host, events)).status, Status.OK);
    });
    assert.equal(
      received.map(({ body }) => body).join(""),
      events.map(({ payload }) => `${payload}\n`).join(""),
    );
    assert.deepEqual(received.map(({ body }) => body.split("\n").length - 1), [4, 2, 2, 1, 1]);
  }));

Deno.test("http makes URL, headers and body of events, and keeps events of one target together", () =>
  withServer(OK, async (url, received) => {
    const config = {
      url_from: `"${url}/" + payload.tenant`,
      headers: { authorization: "Bearer secret" },
      headers_from: { "x-key": "key" },
      body: '{"id": payload.id, "from": source}',
    };
    await withReaction(config, async (host) => {
      const events = ["a", "a", "b", "a"].map((tenant, id) => ({
        ...json({ tenant, id }),
        key: tenant,
      }));
      assert.equal((await send(host, events)).status, Status.OK);
      const bad = await send(host, [events[0]!, json({ id: 9 }), events[1]!]);
      assert.deepEqual([bad.status, bad.done], [Status.INVALID, 1]);
      assert.match(bad.message, /tenant/);
    });
    assert.deepEqual(
      received.map(({ path, headers, body }) => [path, headers.get("x-key"), body]),
      [
        ["/a", "a", '{"id":0,"from":"a"}\n{"id":1,"from":"a"}\n'],
        ["/b", "b", '{"id":2,"from":"a"}\n'],
        ["/a", "a", '{"id":3,"from":"a"}\n'],
        ["/a", "a", '{"id":0,"from":"a"}\n'],
      ],
    );
    assert.ok(received.every(({ headers }) => headers.get("authorization") === "Bearer secret"));
  }));

Deno.test("http finds the one event that the server does not want; others before it are accepted", () =>
  withServer(
    ({ body }) => new Response("no such thing", { status: body.includes("bad") ? 422 : 200 }),
    async (url, received) => {
      const events = ["1", "2", "3", "4", "bad", "6", "7"].map((payload) => ({ payload }));
      await withReaction({ url }, async (host) => {
        const { status, done, message } = await send(host, events);
        assert.deepEqual([status, done], [Status.INVALID, 4]);
        assert.match(message, /the server answered 422 no such thing$/);
      });
      const accepted = received.filter(({ body }) => !body.includes("bad"));
      assert.equal(accepted.map(({ body }) => body).join(""), "1\n2\n3\n4\n");
    },
  ));

Deno.test("http fails what may pass, with how much was accepted and without what is secret", () =>
  withServer(
    ({ body }) => new Response("try later", { status: body.startsWith("c") ? 503 : 200 }),
    async (url) => {
      const events = ["a", "b", "c", "d"].map((payload) => ({ payload }));
      const secret = `${url.replace("http://", "http://me:hidden@")}/in?token=hidden`;
      await withReaction({ url: secret, max_events: 2 }, async (host) => {
        const { status, done, message } = await send(host, events);
        assert.deepEqual([status, done], [Status.FAILED, 2]);
        assert.match(
          message,
          /^Cannot POST http:\/\/127.*\/in\?…: the server answered 503 try later$/,
        );
        assert.equal(await host.instance.health(), Status.FAILED);
        assert.equal((await send(host, events.slice(0, 2))).status, Status.OK);
        assert.equal(await host.instance.health(), Status.OK);
      });
      const gone = "http://me:hidden@127.0.0.1:9/in?token=hidden";
      await withReaction({ url: gone }, async (host) => {
        const { status, message } = await send(host, events);
        assert.equal(status, Status.FAILED);
        assert.match(message, /^Cannot POST http:\/\/127\.0\.0\.1:9\/in\?…: /);
        assert.ok(!message.includes("hidden"), message);
      });
    },
  ));

Deno.test("http waits as long as the server says, then leaves it to the retry", () =>
  withServer(
    () => new Response("slow down", { status: 429, headers: { "retry-after": "1" } }),
    async (url, received) => {
      await withReaction({ url: url.replace("http://", "http://me:p%20w@") }, async (host) => {
        const started = performance.now();
        const { status, message } = await send(host, [{ payload: "a" }]);
        assert.ok(performance.now() - started > 990);
        assert.equal(status, Status.FAILED);
        assert.match(message, /answered 429 slow down$/);
      });
      assert.equal(received.length, 1);
      assert.equal(received[0]!.headers.get("authorization"), `Basic ${btoa("me:p w")}`);
    },
  ));

Deno.test("http does not wait for a time that has passed, nor beyond the stop, and says what is wrong meanwhile", () =>
  withServer(
    (_, number) => {
      const time = number === 1 ? new Date(0).toUTCString() : "100";
      return new Response("", { status: 503, headers: { "retry-after": time } });
    },
    async (url) => {
      await withReaction({ url }, async (host) => {
        assert.equal((await send(host, [{ payload: "a" }])).status, Status.FAILED);
        await withBatch({}, async (batch) => {
          const status = await host.instance.write(fill(batch, [{ payload: "b" }]));
          assert.equal(status, Status.PENDING);
          await waitFor(async () => await host.instance.health() === Status.FAILED);
          await host.instance.stop();
        });
        assert.equal(host.completions.length, 1);
      });
    },
  ));

Deno.test("http refuses an event that cannot have a request, and shows nothing of it", () =>
  withServer(OK, async (url) => {
    const config = { url_from: `attributes.url`, headers_from: { "x-key": "key" } };
    await withReaction(config, async (host) => {
      const event = (target: string, key = "k") => ({
        payload: "a",
        key,
        attributes: attributeBytes([["url", target]]),
      });
      for (
        const bad of [
          event("secret"),
          event("file:///secret"),
          event("data:text/plain,secret"),
          event(url.replace("http://", "http://me:%secret@")),
          event(`${url}/`, "a\r\nsecret: 1"),
          event(`${url}/`, "\u65e5secret"),
        ]
      ) {
        const { status, done, message } = await send(host, [event(url), bad]);
        assert.deepEqual([status, done], [Status.INVALID, 1]);
        assert.doesNotMatch(message, /secret/);
      }
    });
  }));

Deno.test("http refuses settings that no request can have", async () => {
  const url = "http://127.0.0.1:9/";
  for (
    const [config, wanted] of [
      [{ url: "http://" }, /none of http/],
      [{ url, headers: { "a b": "x" } }, /a b/],
      [{ url, headers: { a: "hid\nden" } }, /value of header "a"/],
      [{ url, headers_from: { "a:": "key" } }, /a:/],
    ] as const
  ) {
    await assert.rejects(withReaction(config, async () => {}), (error: Error) => {
      assert.match(error.message, wanted);
      assert.doesNotMatch(error.message, /hid/);
      return true;
    });
  }
});

Deno.test("http reads the beginning of a long response only", () => {
  let given = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        given += 2 ** 16;
        controller.enqueue(new Uint8Array(2 ** 16).fill(32));
      },
    });
  return withServer(
    (_, number) => new Response(endless(), { status: number === 1 ? 200 : 500 }),
    async (url) => {
      await withReaction({ url }, async (host) => {
        assert.equal((await send(host, [{ payload: "a" }])).status, Status.OK);
        const { status, message } = await send(host, [{ payload: "a" }]);
        assert.equal(status, Status.FAILED);
        assert.match(message, /answered 500$/);
        assert.ok(given < 64 * 2 ** 20, `${given}`);
      });
    },
  );
});

Deno.test("http gives up a response that takes too long, and one that is still awaited at the stop", async () => {
  const late = Promise.withResolvers<Response>();
  await withServer(
    () => late.promise.then((response) => response.clone()),
    async (url, received) => {
      await withReaction({ url, timeout: "50ms" }, async (host) => {
        const { status, message } = await send(host, [{ payload: "a" }]);
        assert.equal(status, Status.FAILED);
        assert.match(message, /no response within 50 ms$/);
      });
      await withReaction({ url }, async (host) => {
        await withBatch({}, async (batch) => {
          const status = await host.instance.write(fill(batch, [{ payload: "a" }]));
          assert.equal(status, Status.PENDING);
          await waitFor(() => received.length === 2);
          await host.instance.stop();
        });
        assert.deepEqual(host.completions, []);
      });
      late.resolve(new Response());
    },
  );
});

Deno.test("http takes no more batches than may be under way, and asks for more when there is room", () => {
  const gate = Promise.withResolvers<void>();
  return withServer(() => gate.promise.then(() => new Response()), async (url, received) => {
    await withReaction({ url, concurrency: 2 }, async (host) => {
      await withBatch({}, async (batch) => {
        fill(batch, [{ payload: "a" }]);
        const statuses = [1, 2, 3].map(() => host.instance.write(batch));
        assert.deepEqual(statuses, [Status.PENDING, Status.PENDING, Status.AGAIN]);
        await waitFor(() => received.length === 2);
        assert.equal(host.instance.takeWake(), false);
        gate.resolve();
        await waitFor(() => host.completions.length === 2);
        assert.equal(host.instance.takeWake(), true);
      });
    });
  });
});
