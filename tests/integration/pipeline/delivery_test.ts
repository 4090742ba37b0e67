import assert from "node:assert/strict";
import { join } from "node:path";
import { waitFor } from "../../support/busbar.ts";
import {
  assertNumbers,
  callsOf,
  collect,
  collected,
  cpuMs,
  digits,
  numbers,
  pass,
  recorderOf,
  runToEnd,
  sequences,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

const FAST = { initial: "1ms", max: "2ms" };

Deno.test("AGAIN: the same batch is offered again, and the pipeline is held back meanwhile", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const closed = file("closed");
    await Deno.writeTextFile(closed, "");
    const pipelines = {
      web: {
        sources: { numbers: numbers(5000, { idle: true }) },
        reactions: {
          held: collect(["numbers"], { file: file("held"), again_while: closed }),
          often: collect(["numbers"], { file: file("often"), again_every: 2 }),
        },
        batch: { max_events: 10, in_flight: 3 },
      },
    };
    await withPipelines(pipelines, async (busbar) => {
      const full = await busbar.pipeline("web", ({ components }) => components[1].queued === 3);
      const recorder = await recorderOf(full.cell.pid);
      const offered = callsOf(recorder.component(1));
      const [source, held, often] = await waitFor(async () => {
        const now = await recorderOf(full.cell.pid);
        return callsOf(now.component(1)) > offered + 3 && [0, 1, 2].map((i) => now.component(i));
      }, { busbar });
      assert.deepEqual([source!.eventsOut, held!.eventsIn, often!.eventsIn], [30, 0, 30]);
      await Deno.remove(closed);
      await busbar.pipeline(
        "web",
        ({ components }) =>
          components.slice(1).every((one: { eventsIn: number }) => one.eventsIn === 5000),
      );
    });
    for (const name of ["held", "often"]) await assertNumbers(file(name), 5000);
  }));

Deno.test("AGAIN for ever does not spin", async () => {
  const pipelines = {
    web: {
      sources: { numbers: numbers(0) },
      reactions: { never: collect(["numbers"], { again_every: 1 }) },
      shutdown_timeout: "1s",
    },
  };
  await withPipelines(pipelines, async (busbar) => {
    const { cell } = await busbar.pipeline("web", ({ components }) => components[1].queued > 0);
    const writes = async () => callsOf((await recorderOf(cell.pid)).component(1));
    const settled = 8; // the waits between two offers have reached their longest
    await waitFor(async () => await writes() > settled, { busbar });
    const before = { cpu: await cpuMs(cell.pid), at: performance.now(), writes: await writes() };
    await waitFor(async () => await writes() >= before.writes + 10, { busbar });
    const cpu = await cpuMs(cell.pid) - before.cpu;
    const elapsed = performance.now() - before.at;
    assert.ok(cpu < elapsed * 0.25, `${cpu} ms of processor time in ${elapsed} ms`);
  });
});

Deno.test("PENDING: batches end in any order, each event is taken once, and positions only move on", () =>
  withFolder(async (folder) => {
    const orders = ["fifo", "lifo", "random"];
    const file = (name: string) => join(folder, name);
    const pipelines = Object.fromEntries(orders.map((order) => [order, {
      cell: "pending",
      sources: { numbers: numbers(3000, { idle: true, commit_file: file(`${order}_commits`) }) },
      reactions: {
        file: {
          ...collect(["numbers"], {
            file: file(order),
            pending: true,
            order,
            window: 6,
            wait_ms: 1,
          }),
          retry: FAST,
        },
        unwilling: {
          ...collect(["numbers"], {
            file: file(`${order}_unwilling`),
            pending: true,
            order,
            fail_every: 41,
            again_every: 7,
          }),
          retry: FAST,
        },
      },
      batch: { max_events: 20, in_flight: 8 },
      checkpoint_interval: "5ms",
    }]));
    await withPipelines(pipelines, async (busbar) => {
      for (const order of orders) {
        await busbar.pipeline(
          order,
          ({ components }) =>
            components.slice(1).every((one: { eventsIn: number }) => one.eventsIn === 3000),
        );
        await waitFor(
          async () => (await lines(file(`${order}_commits`))).at(-1) === 3000,
          { busbar, what: "the last commit" },
        );
      }
      assert.equal((await busbar.stop()).code, 0);
    });
    for (const order of orders) {
      for (const name of [order, `${order}_unwilling`]) {
        const events = await collected(file(name));
        for (const event of events) assert.equal(digits(event), `${event.sequence}`);
        const got = sequences(events);
        assert.deepEqual(got.toSorted((a, b) => a - b), upTo(3000), name);
        if (name === "fifo") assert.deepEqual(got, upTo(3000));
        else if (name === "lifo") assert.notDeepEqual(got, upTo(3000));
      }
      const commits = await lines(file(`${order}_commits`));
      assert.deepEqual(commits, commits.toSorted((a, b) => a - b));
      assert.ok(commits.length > 1);
    }
  }));

Deno.test("a batch not taken: what was accepted before is not offered again, the rest is until it passes", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const pipelines = {
      web: {
        sources: { numbers: numbers(600, { idle: true }) },
        reactions: {
          some: { ...collect(["numbers"], { file: file("some"), fail_every: 13 }), retry: FAST },
          first: { ...collect(["numbers"], { file: file("first"), fail_first: 5 }), retry: FAST },
          blocking: {
            ...collect(["numbers"], { file: file("blocking"), fail_every: 17 }),
            use: "probe/collect-blocking",
            retry: FAST,
          },
          pending: {
            ...collect(["numbers"], {
              file: file("pending"),
              fail_every: 19,
              pending: true,
              wait_ms: 1,
            }),
            retry: FAST,
          },
        },
        batch: { max_events: 100, in_flight: 1 },
      },
    };
    const names = ["some", "first", "blocking", "pending"];
    await withPipelines(pipelines, async (busbar) => {
      const web = await busbar.pipeline(
        "web",
        ({ components }) =>
          components.slice(1).every((one: { eventsIn: number }) => one.eventsIn === 600),
      );
      for (const { id, retries, dropped, errors } of web.components.slice(1)) {
        assert.ok(retries >= 5, `${id}: ${retries} retries`);
        assert.equal(dropped, 0, id);
        if (id !== "pending") assert.equal(errors, retries, id);
      }
      const warning = await busbar.log(({ message }) => message.startsWith("Write failed"));
      assert.equal(warning.level, "WARN");
    });
    for (const name of names) await assertNumbers(file(name), 600);
  }));

Deno.test("a batch not taken too often: on_failure drops the event and counts it, or stops the pipeline for good", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const retry = { ...FAST, max_attempts: 3 };
    const web = (on_failure: string) => ({
      sources: { numbers: numbers(100, { idle: true, burst: 10 }) },
      reactions: {
        // Three attempts at the first event, then one at each until one is accepted.
        bad: {
          ...collect(["numbers"], { file: file(`${on_failure}_bad`), fail_first: 6 }),
          retry,
          on_failure,
        },
        good: collect(["numbers"], { file: file(`${on_failure}_good`) }),
      },
      batch: { max_events: 10 },
    });
    await withPipelines({ drop: web("drop"), stop: web("stop") }, async (busbar) => {
      const drop = await busbar.pipeline("drop", ({ components }) => components[1].eventsIn === 96);
      assert.deepEqual([drop.components[1].dropped, drop.components[2].eventsIn], [4, 100]);
      const stop = await busbar.pipeline("stop", ({ status }) => status === "failed");
      assert.deepEqual(
        [stop.restarts, stop.failure.component, stop.failure.plugin, stop.failure.code],
        [0, "bad", "probe", "Rejected"],
      );
      assert.match(stop.failure.message, /event 1: Cannot write: asked to fail/);
      const { status, body } = await busbar.fetch("/readyz");
      assert.equal(status, 503);
      assert.match(body.error.message, /"stop" is failed/);
    });
    await assertNumbers(file("drop_good"), 100);
    assert.deepEqual(sequences(await collected(file("drop_bad"))), upTo(100).slice(4));
    assert.deepEqual(await collected(file("stop_bad")), []);
  }));

Deno.test("INVALID makes a dead letter of just that event, and counts it", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const refuse = { invalid_sequence: 42 };
    const pipelines = {
      web: {
        sources: { numbers: numbers(200, { idle: true }) },
        reactions: {
          plain: collect(["numbers"], { file: file("plain"), ...refuse }),
          pending: collect(["numbers"], { file: file("pending"), pending: true, ...refuse }),
          last: collect(["numbers"], { file: file("last"), invalid_sequence: 200 }),
          good: collect(["numbers"], { file: file("good") }),
        },
      },
    };
    await withPipelines(pipelines, async (busbar) => {
      const web = await busbar.pipeline(
        "web",
        ({ components }) =>
          components.map((one: { eventsIn: number }) => one.eventsIn).join() ===
            "0,199,199,199,200",
      );
      const dropped = web.components.map((one: { dropped: number }) => one.dropped);
      assert.deepEqual(dropped, [0, 1, 1, 1, 0]);
      const error = await busbar.log(({ message }) => message.startsWith("Event is a dead letter"));
      assert.deepEqual([error.level, (error.fields as { sequence: number }).sequence], [
        "ERROR",
        42,
      ]);
    });
    const without = (refused: number) => upTo(200).filter((n) => n !== refused);
    for (const name of ["plain", "pending"]) {
      assert.deepEqual(sequences(await collected(file(name))), without(42), name);
    }
    assert.deepEqual(sequences(await collected(file("last"))), without(200));
    await assertNumbers(file("good"), 200);
  }));

Deno.test("a reaction that blocks holds up neither its cell nor its neighbours", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const slow = (name: string, slow_ms: number) => ({
      use: "probe/collect-blocking",
      from: ["numbers"],
      config: { file: file(name), slow_ms },
    });
    const pipelines = {
      slow: {
        cell: "one",
        sources: { numbers: numbers(40) },
        reactions: {
          slow: slow("slow", 300),
          fast: collect(["numbers"], { file: file("fast") }),
        },
        batch: { max_events: 10 },
      },
      free: {
        cell: "one",
        sources: { numbers: numbers(0) },
        reactions: { gone: { use: "builtin/discard", from: ["numbers"] } },
      },
    };
    await withPipelines(pipelines, async (busbar) => {
      const { cell } = await busbar.pipeline(
        "slow",
        ({ components }) => components[2].eventsIn > 0,
      );
      const within = { call: 0n, free: 0 };
      await waitFor(async () => {
        const recorder = await recorderOf(cell.pid);
        const { calls } = recorder.component(1);
        const free = recorder.component(4).eventsIn;
        if (calls % 2n === 0n) return false;
        if (calls !== within.call) Object.assign(within, { call: calls, free });
        return free > within.free;
      }, { busbar, what: "events of another pipeline during one slow write" });
      await busbar.pipeline("slow", ({ status }) => status === "completed");
    });
    for (const name of ["slow", "fast"]) await assertNumbers(file(name), 40);
  }));

Deno.test("full batches that go straight from one component to the next fare no differently", () =>
  withFolder(async (folder) => {
    const reactions: Record<string, Record<string, unknown>> = {
      willing: {},
      again: { again_every: 3 },
      failing: { fail_every: 101 },
      invalid: { invalid_sequence: 77 },
      pending: { pending: true, order: "fifo", fail_every: 211 },
    };
    const processors: Record<string, Record<string, unknown>> = {
      none: {},
      two: { one: pass(["numbers"]), last: pass(["one"]) },
      more: { one: pass(["numbers"], { expand: 3 }), last: pass(["one"], { route: true }) },
      nothing: { one: pass(["numbers"]), last: pass(["one"], { expand: 0 }) },
    };
    const cases = Object.entries(reactions).flatMap(([reaction, config]) =>
      Object.entries(processors).map(([graph, between]) => ({
        id: `${reaction}-${graph}`,
        reaction,
        graph,
        pipeline: {
          cell: graph,
          sources: { numbers: numbers(2000, { burst: 64 }) },
          processors: between,
          reactions: {
            file: {
              ...collect([graph === "none" ? "numbers" : "last"], {
                file: join(folder, `${reaction}-${graph}`),
                ...config,
              }),
              retry: FAST,
            },
          },
          batch: { max_events: 32 },
        },
      }))
    );
    await runToEnd(Object.fromEntries(cases.map(({ id, pipeline }) => [id, pipeline])));
    const all = upTo(2000);
    const expected: Record<string, number[]> = {
      none: all,
      two: all,
      more: all.filter((n) => n % 2 === 0).flatMap((n) => [n, n, n]),
      nothing: [],
    };
    for (const { id, reaction, graph } of cases) {
      const events = await collected(join(folder, id));
      for (const event of events) assert.equal(digits(event), `${event.sequence}`, id);
      const got = sequences(events);
      // What failed is offered again behind what was given meanwhile.
      if (reaction === "pending") got.sort((a, b) => a - b);
      const refused = reaction === "invalid" ? 77 : 0;
      assert.deepEqual(got, expected[graph]!.filter((n) => n !== refused), id);
    }
  }));

Deno.test("a completed pipeline has accepted everything, however unwilling its reactions are", () =>
  withFolder(async (folder) => {
    const unwilling = {
      again: { again_every: 2 },
      pending: { pending: true, order: "random", window: 5, wait_ms: 3 },
      failing: { fail_every: 11 },
      all: { pending: true, order: "lifo", fail_every: 31, again_every: 3 },
    };
    const names = Object.keys(unwilling);
    await runToEnd({
      web: {
        sources: { a: numbers(700, { burst: 5 }), b: numbers(300) },
        reactions: Object.fromEntries(
          Object.entries(unwilling).map(([name, config]) => [name, {
            ...collect(["a", "b"], { file: join(folder, name), ...config }),
            retry: FAST,
          }]),
        ),
        batch: { max_events: 25 },
      },
    });
    for (const name of names) {
      const events = await collected(join(folder, name));
      for (const [source, last] of [700, 300].entries()) {
        const got = sequences(events, source).toSorted((a, b) => a - b);
        assert.deepEqual(got, upTo(last), `${name}, source ${source}`);
      }
    }
  }));

async function lines(file: string): Promise<number[]> {
  const text = await Deno.readTextFile(file).catch(() => "");
  return text.split("\n").slice(0, -1).map(Number);
}
