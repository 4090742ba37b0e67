import assert from "node:assert/strict";
import { join } from "node:path";
import { waitFor } from "../../support/busbar.ts";
import {
  collect,
  collected,
  digits,
  lastLine,
  numbers,
  pass,
  sequences,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

const COUNTERS = ["eventsIn", "eventsOut", "bytesIn", "bytesOut", "errors", "dropped", "retries"];

Deno.test("after each crash every source goes on from its position, and replayed events keep their numbers", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const names = ["plain", "pending", "passed"];
    const web = {
      sources: {
        a: numbers(0, { burst: 8, commit_file: file("commits") }),
        b: { use: "probe/lender", config: { burst: 8, payload_size: 20 } },
      },
      processors: { pass: pass(["a", "b"]) },
      reactions: {
        // What holds the pipeline back.
        plain: collect(["a", "b"], { file: file("plain"), slow_ms: 2 }),
        pending: collect(["a", "b"], { file: file("pending"), pending: true, order: "lifo" }),
        passed: collect(["pass"], { file: file("passed") }),
        stats: { use: "builtin/stats", from: ["pass"], config: { file: file("stats") } },
      },
      batch: { max_events: 8 },
      checkpoint_interval: "20ms",
      restart: { initial: "1ms", max: "1ms" },
    };
    await withPipelines({ web }, async (busbar) => {
      let last: Record<string, number>[] = [];
      /** The pipeline, once its slowest reaction took so many events; counters never go back on the way. */
      const after = (events: number, restarts: number) =>
        busbar.pipeline("web", (now) => {
          for (const [i, component] of now.components.entries()) {
            for (const name of COUNTERS) {
              const before = last[i]?.[name] ?? 0;
              assert.ok(component[name] >= before, `${component.id}.${name} went back`);
            }
          }
          last = now.components;
          return now.status === "running" && now.restarts === restarts &&
            now.components[3].eventsIn >= events;
        });
      let events = 0;
      for (const crashes of [0, 1, 2]) {
        const { cell, components } = await after(events + 200, crashes);
        events = components[3].eventsIn;
        const before = await lastLine(file("commits"));
        await waitFor(async () => await lastLine(file("commits")) !== before, { busbar });
        Deno.kill(cell.pid, "SIGSEGV");
      }
      // So far that the last life is ahead of all before.
      const { lastExit } = await after(events + 1000, 3);
      assert.equal(lastExit.signal, "SIGSEGV");
      assert.equal((await busbar.stop()).code, 0);
    });
    const ends: number[] = [];
    for (const name of names) {
      const all = await collected(file(name));
      for (const event of all) assert.equal(digits(event), `${event.sequence}`, name);
      for (const source of [0, 1]) {
        const got = sequences(all, source);
        const end = got.reduce((a, b) => Math.max(a, b));
        assert.deepEqual([...new Set(got)].toSorted((a, b) => a - b), upTo(end), name);
        assert.equal(got.filter((n) => n === 1).length, 1, "what was acknowledged comes once");
        ends[source] ??= end;
        assert.equal(end, ends[source], "every reaction got as far");
      }
    }
    // It cuts its count back to what was acknowledged.
    const { events } = JSON.parse(await Deno.readTextFile(file("stats")));
    assert.equal(events, ends[0]! + ends[1]!);
    const commits = (await Deno.readTextFile(file("commits"))).trimEnd().split("\n").map(Number);
    assert.deepEqual(commits, commits.toSorted((a, b) => a - b));
  }));

Deno.test("a cell that crashes before anything was acknowledged begins again at the first event", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    const web = {
      sources: { numbers: numbers(500, { idle: true }) },
      reactions: { file: collect(["numbers"], { file }) },
      checkpoint_interval: "1h",
      restart: { initial: "1ms" },
    };
    await withPipelines({ web }, async (busbar) => {
      const { cell } = await busbar.pipeline(
        "web",
        ({ components }) => components[1].eventsIn === 500,
      );
      Deno.kill(cell.pid, "SIGKILL");
      await busbar.pipeline("web", ({ components }) => components[1].eventsIn === 1000);
      await waitFor(async () => (await collected(file)).length === 1000, { busbar });
    });
    assert.deepEqual(sequences(await collected(file)), [...upTo(500), ...upTo(500)]);
  }));

Deno.test("a straight line of full batches goes on from its position as well", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const web = {
      sources: { numbers: numbers(0, { burst: 32, commit_file: file("commits") }) },
      processors: { pass: pass(["numbers"]) },
      reactions: { file: collect(["pass"], { file: file("file"), slow_ms: 1 }) },
      batch: { max_events: 32 },
      checkpoint_interval: "10ms",
      restart: { initial: "1ms" },
    };
    await withPipelines({ web }, async (busbar) => {
      for (const crashes of [0, 1]) {
        const { cell } = await busbar.pipeline(
          "web",
          ({ status, restarts }) => status === "running" && restarts === crashes,
        );
        const before = await lastLine(file("commits"));
        await waitFor(async () => await lastLine(file("commits")) !== before, { busbar });
        Deno.kill(cell.pid, "SIGKILL");
      }
      await busbar.pipeline(
        "web",
        ({ status, restarts }) => status === "running" && restarts === 2,
      );
      assert.equal((await busbar.stop()).code, 0);
    });
    const got = sequences(await collected(file("file")));
    const end = got.reduce((a, b) => Math.max(a, b));
    assert.deepEqual([...new Set(got)].toSorted((a, b) => a - b), upTo(end));
    assert.equal(got.filter((n) => n === 1).length, 1, "what was acknowledged comes once");
  }));
