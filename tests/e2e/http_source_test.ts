import assert from "node:assert/strict";
import { join } from "node:path";
import { fixture, PLUGINS } from "../fixtures/build.ts";
import { type Busbar, waitFor, withBusbar } from "../support/busbar.ts";
import { ask, httpAddress } from "../support/http.ts";

await fixture("probe");

/** A pipeline from a route to standard output, or to a file that `collect` writes. */
function config(
  { source = {}, reaction, pipeline = {} }: {
    source?: Record<string, unknown>;
    reaction?: Record<string, unknown>;
    pipeline?: Record<string, unknown>;
  },
) {
  return {
    plugins: { directories: [PLUGINS], watch: { enabled: false } },
    cells: { restart: { initial: "10ms", max_restarts: 100 } },
    pipelines: {
      web: {
        checkpoint_interval: "50ms",
        sources: { intake: { use: "builtin/http", ...source } },
        reactions: { out: { use: "builtin/stdout", from: "intake", ...reaction } },
        ...pipeline,
      },
    },
    http: {
      listen: { port: 0 },
      routes: [{ path: "/events", source: "web/intake" }],
    },
  };
}

interface Printed {
  payload: unknown;
  key?: string;
}

async function printed(busbar: Busbar, count: number): Promise<Printed[]> {
  return await waitFor(() => {
    const lines = busbar.stdout.split("\n").slice(0, -1);
    return lines.length >= count && lines.map((line) => JSON.parse(line));
  }, { what: `${count} events`, busbar });
}

Deno.test("a webhook is one event, with a key from its headers and its payload as it is", async () => {
  const settings = { key_header: "X-Id" };
  await withBusbar({ config: config({ source: { config: settings } }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    const body = '{"number": 12345678901234567890}';
    const answer = await ask(`${address}/events`, {
      method: "POST",
      body,
      headers: { "x-id": "k1", "content-type": "application/json" },
    });
    assert.deepEqual([answer.status, JSON.parse(answer.text)], [202, { accepted: 1 }]);
    await printed(busbar, 1);
    assert.match(busbar.stdout, /12345678901234567890/);
    const [event] = await printed(busbar, 1);
    assert.equal(event!.key, "k1");
  });
});

Deno.test("lines and array elements are events of their own", async () => {
  const settings = { key_pointer: "/id" };
  await withBusbar({ config: config({ source: { config: settings } }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    const answer = await ask(`${address}/events`, {
      method: "POST",
      body: '{"id":1}\r\n\n{"id":"two"}\n{"id":3}',
      headers: { "content-type": "application/x-ndjson" },
    });
    assert.deepEqual(JSON.parse(answer.text), { accepted: 3 });
    assert.deepEqual((await printed(busbar, 3)).map(({ key }) => key), ["1", "two", "3"]);
  });
  const array = config({ source: { config: { format: "array" } } });
  await withBusbar({ config: array }, async (busbar) => {
    const address = await httpAddress(busbar);
    const body = ' [ {"a":"],}"} , [1, 2],"x" ,1.50 ] ';
    const answer = await ask(`${address}/events`, { method: "POST", body });
    assert.deepEqual(JSON.parse(answer.text), { accepted: 4 });
    await printed(busbar, 4);
    const refused = await ask(`${address}/events`, { method: "POST", body: '{"a":1}' });
    assert.deepEqual([refused.status, JSON.parse(refused.text).error.code], [400, "Invalid"]);
  });
});

Deno.test("a pipeline that does not run, or is full, lets clients try again later", async () => {
  const full = config({
    reaction: { use: "probe/collect", config: { file: "/dev/null", fail_first: 1_000_000 } },
    source: { config: { queue: "1KiB" } },
    pipeline: {
      batch: { max_events: 1, in_flight: 1, max_delay: "0ms" },
      shutdown_timeout: "1s",
    },
  });
  await withBusbar({ config: full }, async (busbar) => {
    const address = await httpAddress(busbar);
    const send = () => ask(`${address}/events`, { method: "POST", body: "x".repeat(600) });
    assert.equal((await send()).status, 202);
    const controller = new AbortController();
    const waiting = Array.from(
      { length: 4 },
      () =>
        fetch(`${address}/events`, {
          method: "POST",
          body: "x".repeat(600),
          signal: controller.signal,
        }).then(async (response) => {
          await response.body?.cancel();
          return response;
        }),
    );
    const refused = await Promise.any(waiting);
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    await busbar.fetch("/api/v1/pipelines/web/stop", { method: "POST" });
    for (const result of await Promise.all(waiting)) assert.ok([429, 503].includes(result.status));
    const stopped = await send();
    assert.deepEqual([stopped.status, stopped.headers.get("retry-after")], [503, "1"]);
    controller.abort();
  });
});

Deno.test("what was accepted survives a cell that is killed, with a buffer", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_test_" });
  const file = join(folder, "out");
  try {
    const durable = config({
      source: { buffer: { type: "disk" } },
      reaction: { use: "probe/collect", config: { file, slow_ms: 5 } },
      pipeline: { batch: { max_events: 16, in_flight: 2 } },
    });
    await withBusbar({ config: durable }, async (busbar) => {
      const address = await httpAddress(busbar);
      const accepted: string[] = [];
      let running = true;
      const clients = Array.from({ length: 4 }, async (_, client) => {
        for (let i = 0; running; i++) {
          const body = `${client}-${i}`;
          const { status, text } = await ask(`${address}/events`, { method: "POST", body });
          if (status === 202) accepted.push(body);
          else assert.equal(status, 503, text);
        }
      });
      for (let kill = 0; kill < 3; kill++) {
        const goal = accepted.length + 30;
        await waitFor(() => accepted.length >= goal, { what: "accepted events", busbar });
        const { cell } = await busbar.pipeline(
          "web",
          ({ cell, status }) => cell !== null && status === "running",
        );
        Deno.kill(cell.pid, "SIGKILL");
      }
      const goal = accepted.length + 30;
      await waitFor(() => accepted.length >= goal, { what: "accepted events", busbar });
      running = false;
      await Promise.all(clients);
      await waitFor(async () => {
        const written = new Set(
          (await Deno.readTextFile(file)).split("\n").map((line) => line.split(" ")[2]),
        );
        return accepted.every((body) => written.has(body));
      }, { what: `all of ${accepted.length} accepted events`, busbar });
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what was accepted is written once though the host is killed, with a buffer", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_test_" });
  const file = join(folder, "out");
  const durable = {
    ...config({
      source: { buffer: { type: "disk" } },
      reaction: { use: "builtin/file", config: { path: file } },
    }),
    data_dir: join(folder, "data"),
  };
  const accepted: string[] = [];
  try {
    for (const run of [1, 2]) {
      await withBusbar({ config: durable }, async (busbar) => {
        const address = await httpAddress(busbar);
        const clients = Array.from({ length: 4 }, async (_, client) => {
          for (let i = 0;; i++) {
            const body = `${run}-${client}-${i}`;
            try {
              const { status } = await ask(`${address}/events`, { method: "POST", body });
              if (status === 202) accepted.push(body);
            } catch {
              return;
            }
          }
        });
        const goal = accepted.length + 50;
        await waitFor(() => accepted.length >= goal, { what: "accepted events", busbar });
        busbar.kill("SIGKILL");
        await Promise.all(clients);
      });
    }
    await withBusbar({ config: durable }, async (busbar) => {
      await waitFor(async () => {
        const written = new Set((await Deno.readTextFile(file)).split("\n"));
        return accepted.every((body) => written.has(body));
      }, { what: `all of ${accepted.length} accepted events`, busbar });
    });
    const written = (await Deno.readTextFile(file)).split("\n").slice(0, -1);
    assert.equal(written.length, new Set(written).size);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
