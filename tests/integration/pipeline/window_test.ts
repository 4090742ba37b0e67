import assert from "node:assert/strict";
import { join } from "node:path";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";
import { fixture, PLUGINS } from "../../fixtures/build.ts";
import { withBusbar } from "../../support/busbar.ts";
import {
  collect,
  collected,
  numbers,
  runToEnd,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

/** The number that is the payload of an event of `probe/numbers`. */
const NUMBER = 'int(text.extract("^[0-9]+"))';
const LAST = 4000;

/** What windows of numbers come to, each number a time in seconds since 1970. */
function expected(size: number, slide: number): string[] {
  const windows: string[] = [];
  for (let start = -slide * Math.floor(size / slide); start + size <= LAST; start += slide) {
    for (const key of [0, 1, 2]) {
      const those = upTo(LAST).filter((n) => n % 3 === key && n >= start && n < start + size);
      if (those.length === 0) continue;
      const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
      windows.push(JSON.stringify({
        window: { start: iso(start), end: iso(start + size) },
        key: String(key),
        n: those.length,
        total: those.reduce((a, b) => a + b),
        first: those[0],
        last: those.at(-1),
        hundreds: new Set(those.map((n) => Math.floor(n / 100))).size,
      }));
    }
  }
  return windows.sort();
}

Deno.test("windows come to the same over kills of cells and of the host", () =>
  withFolder(async (folder) => {
    await fixture("probe");
    const window = (config: Record<string, unknown>) => ({
      use: "builtin/window",
      from: ["numbers"],
      config: {
        timestamp: NUMBER,
        idle_timeout: "0s",
        key: `string(${NUMBER} % 3)`,
        aggregates: {
          n: { count: true },
          total: { sum: NUMBER },
          first: { first: NUMBER },
          last: { last: NUMBER },
          hundreds: { distinct: `${NUMBER} / 100` },
        },
        ...config,
      },
    });
    const config = {
      data_dir: join(folder, "data"),
      plugins: { directories: [PLUGINS] },
      pipelines: {
        web: {
          sources: { numbers: numbers(LAST, { burst: 8, idle: true }) },
          processors: {
            tumbling: window({ size: "50s" }),
            sliding: window({ size: "50s", slide: "20s" }),
          },
          reactions: {
            all: collect(["numbers"], { file: join(folder, "all"), slow_ms: 1 }),
            tumbling_out: collect(["tumbling"], { file: join(folder, "tumbling") }),
            sliding_out: collect(["sliding"], { file: join(folder, "sliding") }),
          },
          batch: { max_events: 8 },
          checkpoint_interval: "10ms",
          restart: { initial: "1ms", max: "1ms" },
        },
      },
    };
    for (const crash of [1, 2]) {
      await withBusbar({ config }, async (busbar) => {
        const reached = (events: number, restarts: number) =>
          busbar.pipeline(
            "web",
            (now) => now.restarts === restarts && now.components[3].eventsIn >= events,
          );
        const { cell } = await reached(300 * crash, 0);
        Deno.kill(cell.pid, "SIGKILL");
        await reached(300 * crash + 200, 1);
        busbar.kill("SIGKILL");
        await busbar.exited();
      });
    }
    await withBusbar({ config }, async (busbar) => {
      const store = join(folder, "data/pipelines/web/pipeline.db");
      await busbar.pipeline("web", () => {
        const open = PipelineStore.open(store);
        try {
          return open.checkpoint().marks[0]?.sequence === LAST;
        } finally {
          open.close();
        }
      });
    });
    const found = async (name: string) =>
      [...new Set((await collected(join(folder, name))).map(({ payload }) => payload))].sort();
    assert.deepEqual(await found("tumbling"), expected(50, 50));
    assert.deepEqual(await found("sliding"), expected(50, 20));
  }));

Deno.test("the last windows of a source that went quiet close too", () =>
  withFolder(async (folder) => {
    const web = {
      sources: { numbers: numbers(100, { idle: true }) },
      processors: {
        windows: {
          use: "builtin/window",
          from: ["numbers"],
          config: {
            size: "10ms",
            timestamp: `double(${NUMBER}) / 1000`,
            idle_timeout: "20ms",
            aggregates: { n: { count: true } },
          },
        },
      },
      reactions: { out: collect(["windows"], { file: join(folder, "out") }) },
    };
    await withPipelines({ web }, async (busbar) => {
      await busbar.pipeline("web", ({ components }) => components[2].eventsIn === 11);
    });
    const counts = (await collected(join(folder, "out"))).map(({ payload }) =>
      JSON.parse(payload).n
    );
    assert.deepEqual(counts, [9, ...Array(9).fill(10), 1]);
  }));

Deno.test("a pipeline that ends emits its open windows where it is told to", () =>
  withFolder(async (folder) => {
    const of = (emit_on_stop: boolean) => ({
      use: "builtin/window",
      from: ["numbers"],
      config: {
        size: "1h",
        timestamp: NUMBER,
        key: `string(${NUMBER} % 500)`,
        emit_on_stop,
        aggregates: { n: { count: true } },
      },
    });
    await runToEnd({
      web: {
        sources: { numbers: numbers(3000) },
        processors: { told: of(true), not_told: of(false) },
        reactions: {
          told_out: collect(["told"], { file: join(folder, "told") }),
          not_told_out: collect(["not_told"], { file: join(folder, "not_told") }),
        },
        // So that they do not fit into one batch.
        batch: { max_events: 64 },
      },
    });
    const told = (await collected(join(folder, "told"))).map(({ payload }) => JSON.parse(payload));
    assert.deepEqual(told.map(({ n, final }) => [n, final]), Array(500).fill([6, false]));
    assert.deepEqual(await collected(join(folder, "not_told")), []);
  }));
