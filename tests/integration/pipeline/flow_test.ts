import assert from "node:assert/strict";
import { join } from "node:path";
import { waitFor } from "../../support/busbar.ts";
import {
  assertNumbers,
  collect,
  collected,
  digits,
  lastLine,
  numbers,
  pass,
  runToEnd,
  sequences,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

Deno.test("events go from native and built-in sources through a native processor to native and built-in reactions", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    const stats = join(folder, "stats");
    const made = join(folder, "made");
    const { stdout, stderr } = await runToEnd({
      web: {
        sources: { numbers: numbers(3000) },
        processors: { copied: pass(["numbers"]) },
        reactions: {
          file: collect(["copied"], { file }),
          stats: { use: "builtin/stats", from: ["copied"], config: { file: stats } },
          lines: { use: "builtin/stdout", from: ["copied"], config: { format: "payload" } },
          gone: { use: "builtin/discard", from: ["copied"] },
        },
        batch: { max_events: 64 },
      },
      made: {
        sources: { made: { use: "builtin/generate", config: { count: 3, payload: "made" } } },
        processors: { copied: pass(["made"]) },
        reactions: {
          shown: { use: "builtin/log", from: ["copied"] },
          file: collect(["copied"], { file: made }),
        },
      },
    });
    await assertNumbers(file, 3000);
    assert.equal(JSON.parse(await Deno.readTextFile(stats)).events, 3000);
    assert.deepEqual(stdout.trimEnd().split("\n").map(Number), upTo(3000));
    assert.deepEqual(
      await collected(made),
      upTo(3).map((sequence) => ({ source: 0, sequence, payload: "made" })),
    );
    const shown = stderr.split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line)).filter(({ message }) => message === "Event");
    assert.deepEqual(
      shown.map(({ pipeline, plugin, component, fields }) => [
        pipeline,
        plugin,
        component,
        fields.sequence,
        fields.source,
        fields.payload,
      ]),
      upTo(3).map((sequence) => ["made", "builtin", "shown", sequence, "made", "made"]),
    );
  }));

Deno.test("fan-in and fan-out: every reaction gets all events of all sources, each source's in order", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const names = ["plain", "again", "blocking", "pending", "failing", "deep", "both"];
    await runToEnd({
      web: {
        sources: {
          a: numbers(900, { burst: 7 }),
          b: numbers(500, { burst: 64 }),
          c: { use: "probe/lender", config: { count: 300, burst: 9 } },
        },
        processors: {
          once: pass(["a", "b", "c"]),
          twice: pass(["once"]),
        },
        reactions: {
          plain: collect(["a", "b", "c"], { file: file("plain") }),
          again: collect(["a", "b", "c"], { file: file("again"), again_every: 5 }),
          blocking: {
            ...collect(["a", "b", "c"], { file: file("blocking") }),
            use: "probe/collect-blocking",
          },
          pending: collect(["a", "b", "c"], { file: file("pending"), pending: true, wait_ms: 1 }),
          failing: {
            ...collect(["a", "b", "c"], { file: file("failing"), fail_every: 29 }),
            retry: { initial: "1ms", max: "1ms" },
          },
          deep: collect(["twice"], { file: file("deep") }),
          // At different depths of one graph.
          both: collect(["a", "once.out", "b", "c"], { file: file("both") }),
        },
        batch: { max_events: 32 },
      },
    });
    const last = [900, 500, 300];
    for (const name of names) {
      const events = await collected(file(name));
      for (const event of events) assert.equal(digits(event), `${event.sequence}`, name);
      for (const [source, count] of last.entries()) {
        const got = sequences(events, source);
        if (name === "both") got.sort((x, y) => x - y);
        const expected = name === "both" ? upTo(count).flatMap((n) => [n, n]) : upTo(count);
        assert.deepEqual(got, expected, `${name}, source ${source}`);
      }
    }
  }));

Deno.test("every source gets its turns, however busy another one is", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    const pipelines = {
      web: {
        sources: {
          busy: numbers(0),
          also: numbers(0),
          rare: numbers(500, { idle: true, burst: 1 }),
        },
        reactions: {
          all: { use: "builtin/discard", from: ["busy", "also"] },
          few: collect(["rare"], { file }),
        },
      },
    };
    await withPipelines(pipelines, async (busbar) => {
      const web = await busbar.pipeline("web", ({ components }) => components[4].eventsIn === 500);
      const [busy, also] = web.components;
      assert.ok(busy.eventsOut > 0 && also.eventsOut > 0);
      assert.ok(
        Math.max(busy.eventsOut, also.eventsOut) <
          2 * Math.min(busy.eventsOut, also.eventsOut) + 100_000,
        JSON.stringify(web.components),
      );
    });
    await assertNumbers(file, 500, 2);
  }));

Deno.test("named outputs: each reaction gets what the processor wrote to the output it names", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    await runToEnd({
      web: {
        sources: { numbers: numbers(1000) },
        processors: {
          router: pass(["numbers"], { route: true }),
          passed: pass(["router.other"]),
        },
        reactions: {
          first: collect(["router"], { file: file("first") }),
          even: collect(["router.out"], { file: file("even") }),
          odd: collect(["passed"], { file: file("odd") }),
          all: collect(["router.out", "router.other"], { file: file("all") }),
        },
        batch: { max_events: 50 },
      },
    });
    const even = upTo(500).map((n) => 2 * n);
    const odd = even.map((n) => n - 1);
    assert.deepEqual(sequences(await collected(file("first"))), even);
    assert.deepEqual(sequences(await collected(file("even"))), even);
    assert.deepEqual(sequences(await collected(file("odd"))), odd);
    const all = sequences(await collected(file("all")));
    assert.deepEqual(all.filter((n) => n % 2 === 0), even);
    assert.deepEqual(all.filter((n) => n % 2 === 1), odd);
  }));

Deno.test("MORE: a processor that writes far more than it reads, several deep, loses and doubles nothing", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    await runToEnd({
      web: {
        sources: { numbers: numbers(100) },
        processors: {
          many: pass(["numbers"], { expand: 30 }),
          more: pass(["many"], { expand: 3 }),
          same: pass(["more"]),
          last: pass(["same"]),
        },
        reactions: { file: collect(["last"], { file }) },
        batch: { max_events: 16, in_flight: 2 },
      },
    });
    const expected = upTo(100).flatMap((n) => Array(90).fill(n));
    assert.deepEqual(sequences(await collected(file)), expected);
  }));

Deno.test("events that a processor keeps or drops are finished as well", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const source = (name: string) => ({
      numbers: numbers(500, { idle: true, commit_file: file(name) }),
    });
    const pipelines = {
      none: {
        sources: source("none_commits"),
        processors: { none: pass(["numbers"], { expand: 0 }) },
        reactions: { file: collect(["none"], { file: file("none") }) },
        batch: { max_events: 16 },
        checkpoint_interval: "10ms",
      },
      total: {
        sources: source("total_commits"),
        processors: { total: { use: "probe/count", from: ["numbers"] } },
        reactions: { file: collect(["total"], { file: file("total") }) },
        batch: { max_events: 16 },
        checkpoint_interval: "10ms",
      },
    };
    await withPipelines(pipelines, async (busbar) => {
      for (const name of ["none", "total"]) {
        await waitFor(async () => await lastLine(file(`${name}_commits`)) === "500", { busbar });
      }
      await waitFor(async () => (await totals(file("total"))).at(-1) === 500, { busbar });
    });
    assert.deepEqual(await collected(file("none")), []);
    const seen = await totals(file("total"));
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  }));

Deno.test("a processor emits what it holds before it is stopped", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    await runToEnd({
      web: {
        sources: { numbers: numbers(5000) },
        processors: { total: { use: "probe/count", from: ["numbers"] } },
        reactions: { file: collect(["total"], { file }) },
      },
    });
    assert.equal((await totals(file)).at(-1), 5000);
  }));

async function totals(file: string): Promise<number[]> {
  return (await collected(file)).map(({ payload }) => JSON.parse(payload).total);
}

Deno.test("records larger than batch.max_bytes pass through everything whole", () =>
  withFolder(async (folder) => {
    const names = ["copied", "lent"];
    const large = { payload_size: 300_000, burst: 4 };
    const sources: Record<string, unknown> = {
      copied: numbers(20, large),
      lent: { use: "probe/lender", config: { count: 20, ...large } },
    };
    await runToEnd(Object.fromEntries(names.map((name) => [name, {
      sources: { numbers: sources[name] },
      processors: { pass: pass(["numbers"], { expand: 2 }) },
      reactions: {
        raw: collect(["numbers"], { file: join(folder, `${name}_raw`) }),
        file: collect(["pass"], { file: join(folder, name) }),
      },
      batch: { max_bytes: "4KiB", max_events: 64 },
    }])));
    for (const name of names) {
      for (const [file, copies] of [[`${name}_raw`, 1], [name, 2]] as const) {
        const events = await collected(join(folder, file));
        assert.deepEqual(sequences(events), upTo(20).flatMap((n) => Array(copies).fill(n)), file);
        for (const event of events) {
          assert.equal(event.payload.length, 300_000);
          assert.equal(digits(event), `${event.sequence}`);
        }
      }
    }
  }));

Deno.test("100 pipelines run in one busbar, several of them in each cell", () =>
  withFolder(async (folder) => {
    const ids = upTo(100).map((n) => `p${n}`);
    const pipelines = Object.fromEntries(ids.map((id, i) => [id, {
      cell: `cell-${i % 4}`,
      sources: { numbers: numbers(200 + i, { idle: true }) },
      reactions: { file: collect(["numbers"], { file: join(folder, id) }) },
    }]));
    await withPipelines(pipelines, async (busbar) => {
      for (const [i, id] of ids.entries()) {
        await busbar.pipeline(id, ({ components }) => components[1].eventsIn === 200 + i);
      }
      const all = await busbar.get("/api/v1/pipelines");
      assert.deepEqual(
        all.map(({ id, status }: Record<string, unknown>) => [id, status]),
        ids.map((id) => [id, "running"]),
      );
      const pids = new Set(all.map(({ cell }: { cell: { pid: number } }) => cell.pid));
      assert.equal(pids.size, 4);
      assert.equal((await busbar.fetch("/readyz")).status, 200);
      assert.equal((await busbar.stop()).code, 0);
    });
    for (const [i, id] of ids.entries()) await assertNumbers(join(folder, id), 200 + i);
  }));

Deno.test("pipelines of one cell end one by one, and those that go on notice nothing", () =>
  withFolder(async (folder) => {
    const pipeline = (name: string, count: number) => ({
      cell: "one",
      sources: { numbers: numbers(count) },
      reactions: { file: collect(["numbers"], { file: join(folder, name) }) },
    });
    const counts = { first: 100, second: 20_000, third: 3 };
    const pipelines = Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [name, pipeline(name, count)]),
    );
    await withPipelines({ ...pipelines, last: pipeline("last", 0) }, async (busbar) => {
      for (const name of Object.keys(counts)) {
        await busbar.pipeline(name, ({ status }) => status === "completed");
      }
      const taken = ({ components }: { components: { eventsIn: number }[] }) =>
        components[1]!.eventsIn;
      const then = await busbar.pipeline("last", (last) => taken(last) > 0);
      const now = await busbar.pipeline("last", (last) => taken(last) > taken(then));
      assert.deepEqual([now.status, now.restarts, now.lastExit], ["running", 0, null]);
      const { code, stderr } = await busbar.stop();
      assert.equal(code, 0);
      assert.doesNotMatch(stderr, /"level":"ERROR"/);
    });
    for (const [name, count] of Object.entries(counts)) {
      await assertNumbers(join(folder, name), count);
    }
  }));

Deno.test("partitions: a partitioned source gives every event to exactly one cell", async () => {
  const { stdout } = await runToEnd({
    web: {
      partitions: 3,
      sources: { made: { use: "builtin/generate", config: { count: 3000 } } },
      processors: { copied: pass(["made"]) },
      reactions: { lines: { use: "builtin/stdout", from: ["copied"] } },
      batch: { max_events: 64 },
    },
  });
  const keys = stdout.trimEnd().split("\n").map((line) => Number(JSON.parse(line).key));
  assert.deepEqual(keys.toSorted((a, b) => a - b), upTo(3000));
  for (const partition of [0, 1, 2]) {
    const own = keys.filter((key) => (key - 1) % 3 === partition);
    assert.deepEqual(own, own.toSorted((a, b) => a - b), "in order within its partition");
    assert.equal(own.length, 1000);
  }
});
