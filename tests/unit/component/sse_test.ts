import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import { SseHistory } from "../../../src/component/builtin/sse_history.ts";
import { waitFor } from "../../support/busbar.ts";
import { fill, type Host, type TestEvent, withBatch, withBuiltin } from "./support.ts";

async function withSse(
  config: Record<string, unknown>,
  action: (host: Host, address: string) => Promise<void>,
): Promise<void> {
  await withBuiltin("sse", { config: { listen: "127.0.0.1:0", ...config } }, async (host) => {
    assert.equal(await host.instance.start(), Status.OK, host.instance.error());
    const { port } = host.logs.find(({ message }) => message === "Listening")!.fields;
    try {
      await action(host, `http://127.0.0.1:${port}/events`);
    } finally {
      await host.instance.stop();
    }
  });
}

async function write(host: Host, events: readonly TestEvent[]): Promise<void> {
  await withBatch({ bytes: 2 ** 21 }, async (batch) => {
    assert.equal(await host.instance.write(fill(batch, events)), Status.OK);
  });
}

const texts = (...payloads: string[]) => payloads.map((payload) => ({ payload }));

/** A client that has connected, and what it has got so far. */
class Client {
  text = "";
  ended = false;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.#abort = abort;
    const reading = async () => {
      const decoder = new TextDecoder();
      for await (const bytes of response.body!) {
        this.text += decoder.decode(bytes, { stream: true });
      }
    };
    void reading().catch(() => {}).finally(() => this.ended = true);
  }

  static async connect(url: string, headers: HeadersInit = {}): Promise<Client> {
    const abort = new AbortController();
    const response = await fetch(url, { signal: abort.signal, headers });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    return new Client(response, abort);
  }

  get data(): string[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data!);
  }

  get ids(): string[] {
    return [...this.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id!);
  }

  async until(count: number): Promise<string[]> {
    await waitFor(() => this.data.length >= count);
    return this.data;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await waitFor(() => this.ended);
  }
}

Deno.test("sse shows events as they come, the last ones to those who ask, and what was missed after an id", () =>
  withSse({ format: "payload", history: 3 }, async (host, url) => {
    const first = await Client.connect(url);
    await write(host, texts("1", "2"));
    await write(host, texts("3", "4", "5"));
    assert.deepEqual(await first.until(5), ["1", "2", "3", "4", "5"]);
    const last = await Client.connect(`${url}?last=2`);
    assert.deepEqual(await last.until(2), ["4", "5"]);
    const missed = await Client.connect(url, { "last-event-id": first.ids[3]! });
    assert.deepEqual(await missed.until(1), ["5"]);
    const other = await Client.connect(url, { "last-event-id": "another-1" });
    assert.deepEqual(await other.until(3), ["3", "4", "5"]);
    const fresh = await Client.connect(url);
    await write(host, texts("6"));
    assert.deepEqual(await fresh.until(1), ["6"]);
    assert.deepEqual((await missed.until(2)).at(-1), "6");
    for (const client of [first, last, missed, other, fresh]) await client.close();
  }));

Deno.test("sse gives JSON objects with a type, and payloads with several lines as such", () =>
  withSse({ event: "seen", cors_origin: "https://example.org" }, async (host, url) => {
    const client = await Client.connect(url);
    await write(host, [{ payload: "a\nb", key: "k" }]);
    const [data] = await client.until(1);
    const { key, payload, source } = JSON.parse(data!);
    assert.deepEqual([key, payload, source], ["k", "a\nb", "access"]);
    assert.match(client.text, /^event: seen$/m);
    await client.close();
    const plain = await fetch(url, { method: "OPTIONS" });
    assert.equal(plain.headers.get("access-control-allow-origin"), "https://example.org");
    await plain.body?.cancel();
  }));

Deno.test("sse splits payloads at line ends, and sends comments while nothing comes", () =>
  withSse({ format: "payload", heartbeat: "5ms" }, async (host, url) => {
    const client = await Client.connect(url);
    await write(host, texts("one\ntwo\r\nthree"));
    assert.deepEqual(await client.until(3), ["one", "two", "three"]);
    await waitFor(() => /three\n\n(:\n\n){2,}$/.test(client.text));
    await client.close();
  }));

Deno.test("sse drops a client that does not read, and the others go on", () =>
  withSse({ format: "payload", max_backlog: "2MiB", history: 0 }, async (host, url) => {
    const slow = await Deno.connect({ port: Number(new URL(url).port) });
    await slow.write(new TextEncoder().encode("GET /events HTTP/1.1\r\nhost: a\r\n\r\n"));
    await slow.read(new Uint8Array(100));
    const quick = await Client.connect(url);
    const large = "x".repeat(2 ** 20);
    let written = 0;
    // More than what the system keeps for a connection.
    for (; written < 24; written++) {
      await write(host, texts(large));
      await quick.until(written + 1);
    }
    assert.equal(quick.ended, false);
    const buffer = new Uint8Array(2 ** 16);
    let got = 0;
    for (let n: number | null; (n = await slow.read(buffer).catch(() => null)) !== null;) got += n;
    assert.ok(got < written * large.length, "the slow client got everything");
    slow.close();
    await quick.close();
  }));

Deno.test("sse stops also when a client does not read what was sent to it", async () => {
  let slow: Deno.Conn | undefined;
  await withSse({ format: "payload", max_backlog: "1GiB", history: 0 }, async (host, url) => {
    slow = await Deno.connect({ port: Number(new URL(url).port) });
    await slow.write(new TextEncoder().encode("GET /events HTTP/1.1\r\nhost: a\r\n\r\n"));
    await slow.read(new Uint8Array(100));
    for (let i = 0; i < 24; i++) await write(host, texts("x".repeat(2 ** 20)));
  });
  slow!.close();
});

Deno.test("sse refuses what it does not know, and more clients than it may have", () =>
  withSse({ max_clients: 1 }, async (_, url) => {
    const status = async (url: string, init: RequestInit = {}) => {
      const response = await fetch(url, init);
      await response.text();
      return response.status;
    };
    assert.equal(await status(url.replace("/events", "/")), 404);
    assert.equal(await status(url, { method: "POST" }), 405);
    assert.equal(await status(`${url}?last=many`), 400);
    using raw = await Deno.connect({ port: Number(new URL(url).port) });
    await raw.write(new TextEncoder().encode("GET /events HTTP/1.1\r\nhost: [\r\n\r\n"));
    const start = new Uint8Array(12);
    await raw.read(start);
    assert.equal(new TextDecoder().decode(start), "HTTP/1.1 400");
    const client = await Client.connect(url);
    assert.equal(await status(url), 503);
    await client.close();
    await waitFor(async () => {
      const response = await fetch(url);
      await response.body?.cancel();
      return response.status === 200;
    });
  }));

Deno.test("a history keeps so many events and bytes", () => {
  const history = new SseHistory({ events: 100, bytes: 500 });
  for (let number = 1; number <= 5000; number++) {
    history.add({ number, bytes: new Uint8Array(10) });
  }
  assert.deepEqual(history.last(2).map(({ number }) => number), [4999, 5000]);
  assert.equal(history.last(1000).length, 50);
  assert.deepEqual(history.after(4998).map(({ number }) => number), [4999, 5000]);
  assert.equal(history.after(0).length, 50);
  assert.deepEqual(history.after(5000), []);
});
