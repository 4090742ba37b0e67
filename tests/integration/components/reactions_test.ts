/** Built-in reactions in a real cell. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Busbar, waitFor, withBusbar } from "../../support/busbar.ts";
import { metric, recorderOf, upTo, withFolder } from "../pipeline/support.ts";

const COUNT = 2000;
const REFUSED = 777;

function generate(count: number) {
  return { use: "builtin/generate", config: { count, json: true, payload_size: 40 } };
}

Deno.test("http has every event once while its server fails at times, but the one that it refuses", async () => {
  const received: number[] = [];
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const body = await request.text();
    requests++;
    if (requests % 5 === 0) return new Response("busy", { status: 503 });
    if (requests % 7 === 0) {
      return new Response("slow down", { status: 429, headers: { "retry-after": "0" } });
    }
    const numbers = body.trim().split("\n").map((line) => JSON.parse(line).sequence as number);
    if (numbers.includes(REFUSED)) return new Response("no", { status: 422 });
    received.push(...numbers);
    return new Response();
  });
  try {
    const config = {
      log: { level: "info", format: "json" },
      pipelines: {
        web: {
          sources: { in: generate(COUNT) },
          reactions: {
            hook: {
              use: "builtin/http",
              from: ["in"],
              config: { url: `http://127.0.0.1:${server.addr.port}/in`, max_events: 40 },
              retry: { initial: "1ms", max: "2ms" },
            },
          },
          batch: { max_events: 100 },
        },
      },
    };
    await withBusbar({ config, args: ["--until-done"] }, async (busbar) => {
      assert.equal((await busbar.exited()).code, 0);
      const letter = busbar.logs.find(({ message }) =>
        message.startsWith("Event is a dead letter")
      )!;
      const { sequence } = (letter["fields"] ?? letter) as { sequence: number };
      assert.equal(sequence, REFUSED);
    });
  } finally {
    await server.shutdown();
  }
  // In order, since one request is made at a time.
  assert.deepEqual(received, upTo(COUNT).filter((number) => number !== REFUSED));
});

Deno.test("profiler measures every event from its source on, and sse has the last ones for who comes later", () =>
  withFolder(async (folder) => {
    const file = join(folder, "latency.json");
    const config = {
      log: { level: "info", format: "json" },
      pipelines: {
        web: {
          sources: {
            in: generate(COUNT),
            // It keeps the pipeline running.
            clock: { use: "builtin/cron", config: { schedule: "0 0 1 1 *" } },
          },
          processors: {
            all: { use: "builtin/filter", from: ["in"], config: { where: "payload.sequence > 0" } },
          },
          reactions: {
            latency: { use: "builtin/profiler", from: ["all"], config: { interval: "20ms", file } },
            live: {
              use: "builtin/sse",
              from: ["all", "clock"],
              config: { listen: "127.0.0.1:0", format: "payload" },
            },
          },
        },
      },
    };
    await withBusbar({ config }, async (busbar) => {
      const { pipeline, event, without_timestamp } = await waitFor(async () => {
        const text = await Deno.readTextFile(file).catch(() => "{}");
        const content = JSON.parse(text);
        return content.pipeline?.count === COUNT && content;
      }, { busbar, what: "the latencies of all events" });
      assert.deepEqual([event.count, without_timestamp], [COUNT, 0]);
      assert.ok(pipeline.p50 > 0 && pipeline.p50 <= pipeline.p99 && pipeline.p99 <= pipeline.max);
      assert.ok(event.max < 60_000, `${event.max} ms`);
      const { cell } = await busbar.pipeline("web", ({ status }) => status === "running");
      const gauge = metric(await recorderOf(cell.pid), 3, "pipeline_latency_p99_seconds");
      assert.ok(gauge! > 0 && gauge! < 60, `${gauge}`);
      assert.deepEqual(await lastSeen(busbar), [COUNT - 1, COUNT]);
    });
  }));

/** The numbers of the last two events that the reaction `live` shows. */
async function lastSeen(busbar: Busbar): Promise<number[]> {
  const { port } = await waitFor(() => {
    const record = busbar.logs.find(({ message }) => message === "Listening");
    return record && (record["fields"] ?? record) as { port: number };
  });
  const abort = new AbortController();
  const address = `http://127.0.0.1:${port}/events?last=2`;
  const response = await fetch(address, { signal: abort.signal });
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes, { stream: true });
    if (text.match(/^data: .*\n\n/gm)?.length === 2) break;
  }
  abort.abort();
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!).sequence);
}
