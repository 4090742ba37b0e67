import assert from "node:assert/strict";
import { join } from "node:path";
import {
  assertNumbers,
  collect,
  collected,
  lastLine,
  numbers,
  pass,
  sequences,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal}: everything that a source had emitted is in the reactions' files`, () =>
    withFolder(async (folder) => {
      const file = (name: string) => join(folder, name);
      const names = ["plain", "deep", "blocking", "pending", "unwilling"];
      const from = (name: string) => ({ file: file(name) });
      const pipelines = {
        web: {
          sources: { numbers: numbers(0, { burst: 7, raw_file: file("raw") }) },
          processors: { once: pass(["numbers"]), twice: pass(["once"]) },
          reactions: {
            plain: collect(["numbers"], { ...from("plain"), slow_ms: 2 }),
            deep: collect(["twice"], from("deep")),
            blocking: { ...collect(["once"], from("blocking")), use: "probe/collect-blocking" },
            pending: collect(["numbers"], { ...from("pending"), pending: true, order: "lifo" }),
            unwilling: {
              ...collect(["once"], { ...from("unwilling"), again_every: 5, fail_every: 97 }),
              retry: { initial: "1ms", max: "1ms" },
            },
          },
          // Never full in whole polls, never closed by time: the last one is always open.
          batch: { max_events: 100, max_delay: "1h" },
        },
        // Nothing of it has left its first batch.
        open: {
          sources: { numbers: numbers(500, { idle: true }) },
          processors: { count: { use: "probe/count", from: ["numbers"] } },
          reactions: {
            file: collect(["numbers"], from("open")),
            total: collect(["count"], from("total")),
          },
          batch: { max_delay: "1h" },
        },
        flush: {
          sources: { source: { use: "faulty/source" } },
          reactions: {
            reaction: {
              use: "faulty/reaction",
              from: ["source"],
              config: { fault: "failed", in: "flush", once_file: file("flush") },
            },
          },
          checkpoint_interval: "1h",
          shutdown_timeout: "2s",
        },
      };
      await withPipelines(pipelines, async (busbar) => {
        await busbar.pipeline("web", ({ components }) => components[3].eventsIn > 2000);
        await busbar.pipeline("open", ({ components }) => components[0].eventsOut === 500);
        await busbar.pipeline("flush", ({ components }) => components[1].eventsIn === 100);
        assert.deepEqual(await collected(file("open")), []);
        busbar.kill(signal);
        const { code, stderr } = await busbar.exited();
        assert.equal(code, 0);
        assert.doesNotMatch(stderr, /did not stop within/);
        assert.match(stderr, /Asked to answer failed in flush/, "the last checkpoint flushes");
      });
      const last = Number(await lastLine(file("raw")));
      for (const name of names) {
        const got = sequences(await collected(file(name)));
        if (name === "pending") got.sort((a, b) => a - b);
        assert.deepEqual(got, upTo(last), name);
      }
      await assertNumbers(file("open"), 500);
      assert.equal(JSON.parse((await collected(file("total"))).at(-1)!.payload).total, 500);
    }));
}

Deno.test("reactions that never take anything do not hold up a stop beyond shutdown_timeout", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    const stuck = (reaction: Record<string, unknown>) => ({
      sources: { numbers: numbers(0) },
      reactions: { reaction: { from: ["numbers"], ...reaction } },
      shutdown_timeout: "3s",
    });
    const faulty = (config: Record<string, unknown>) => stuck({ use: "faulty/reaction", config });
    const pipelines = {
      again: stuck(collect(["numbers"], { again_every: 1 })),
      failing: stuck(collect(["numbers"], { fail_first: 1_000_000 })),
      pending: faulty({ fault: "pending-never", in: "write" }),
      flush: faulty({ fault: "again", in: "flush" }),
      // One that is stuck does not take the others with it.
      good: {
        cell: "again",
        sources: { numbers: numbers(3000, { idle: true }) },
        reactions: { file: collect(["numbers"], { file }) },
        batch: { max_delay: "1h" },
        shutdown_timeout: "3s",
      },
    };
    await withPipelines(
      { ...pipelines, again: { ...pipelines.again, cell: "again" } },
      async (busbar) => {
        for (const id of Object.keys(pipelines)) {
          const least = id === "good" ? 3000 : 1;
          await busbar.pipeline(id, ({ components }) => components[0].eventsOut >= least);
        }
        const { code, stderr } = await busbar.stop();
        assert.equal(code, 0);
        assert.doesNotMatch(stderr, /did not stop within/);
        assert.equal(stderr.match(/is stopped"/g)?.length, 5, stderr);
      },
    );
    await assertNumbers(file, 3000);
  }));

Deno.test("a cell that is never at rest takes up a pause at once", () =>
  withFolder(async (folder) => {
    const web = {
      sources: { numbers: numbers(0, { burst: 8 }) },
      reactions: { slow: collect(["numbers"], { file: join(folder, "out"), slow_ms: 2 }) },
      batch: { max_events: 8 },
    };
    await withPipelines({ web }, async (busbar) => {
      const before = await busbar.pipeline("web", ({ components }) => components[1].eventsIn > 0);
      const { status } = await busbar.fetch("/api/v1/pipelines/web/pause", { method: "POST" });
      assert.equal(status, 200);
      const after = await busbar.get("/api/v1/pipelines/web");
      const batches = (after.components[1].eventsIn - before.components[1].eventsIn) / 8;
      assert.ok(batches < 800, `${batches} batches came between`);
    });
  }));
