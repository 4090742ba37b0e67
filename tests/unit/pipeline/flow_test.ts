import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import { keep, list, map, numbered, put, withPipeline } from "./harness.ts";

Deno.test("a pipeline moves every event of several sources to a reaction, each source's in order", async () => {
  const out = keep();
  await withPipeline(
    {
      a: { kind: "source", make: list(numbered(10, "a")) },
      b: { kind: "source", make: list(numbered(7, "b")) },
      out: { kind: "reaction", make: out, from: ["a", "b"] },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.items.filter((text) => text.startsWith("a")), numbered(10, "a"));
      assert.deepEqual(out.items.filter((text) => text.startsWith("b")), numbered(7, "b"));
      assert.deepEqual(harness.states, ["running", "completed"]);
      assert.deepEqual(harness.checkpoint(0), [10, "10"]);
      assert.deepEqual(harness.checkpoint(1), [7, "7"]);
      assert.equal(harness.counters("out").eventsIn, 17);
      assert.equal(harness.counters("a").eventsOut, 10);
    },
  );
});

Deno.test("sources take turns: one that never runs dry does not keep the others from being polled", async () => {
  let endless = 0;
  const out = keep();
  await withPipeline(
    {
      endless: {
        kind: "source",
        make: {
          poll(batch) {
            while (put(batch, `e${endless}`)) endless++;
            return Status.OK;
          },
        },
      },
      short: { kind: "source", make: list(numbered(6, "s")) },
      out: { kind: "reaction", make: out, from: ["endless", "short"] },
    },
    {},
    (harness) => {
      for (let turns = 0; turns < 3; turns++) harness.pipeline.step();
      assert.deepEqual(out.items.filter((text) => text.startsWith("s")), numbered(6, "s"));
      return Promise.resolve();
    },
  );
});

Deno.test("fan-out: a slow branch holds the others back only when the source's batches are all under way", async () => {
  let open = false;
  const quick = keep();
  const slow = keep(() => open ? Status.OK : Status.AGAIN);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(100)) },
      quick: { kind: "reaction", make: quick, from: ["in"] },
      slow: { kind: "reaction", make: slow, from: ["in"] },
    },
    { batch: { maxEvents: 4, inFlight: 4 } },
    async (harness) => {
      await harness.pass(1000);
      assert.deepEqual(quick.items, numbered(16), "four batches of four, and no more");
      assert.deepEqual(slow.items, []);
      assert.equal(
        harness.checkpoint()[0],
        0,
        "what is not accepted everywhere is not acknowledged",
      );
      open = true;
      await harness.until(() => harness.states.includes("completed"));
      assert.equal(harness.checkpoint()[0], 100);
      assert.deepEqual(quick.items, numbered(100));
      assert.deepEqual(slow.items, numbered(100));
    },
  );
});

Deno.test("named outputs go to those who read them; an output that nobody reads is dropped", async () => {
  const odd = keep();
  const even = keep();
  const both = keep();
  const router = map((text) => {
    const number = Number(text);
    return [{ output: number % 5 === 0 ? 2 : number % 2, text }];
  });
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(20)) },
      router: {
        kind: "processor",
        make: router,
        from: ["in"],
        outputs: ["even", "odd", "fives"],
      },
      even: { kind: "reaction", make: even, from: ["router.0"] },
      odd: { kind: "reaction", make: odd, from: ["router.1"] },
      both: { kind: "reaction", make: both, from: ["router.1", "router.0"] },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(even.items, ["2", "4", "6", "8", "12", "14", "16", "18"]);
      assert.deepEqual(odd.items, ["1", "3", "7", "9", "11", "13", "17", "19"]);
      assert.deepEqual(both.items.toSorted(), [...even.items, ...odd.items].toSorted());
      assert.deepEqual(harness.checkpoint(), [20, "20"]);
    },
  );
});

Deno.test("MORE: a processor with outputs smaller than what it makes is called again from its cursor", async () => {
  const out = keep();
  const padded = map((text) => [{ text: text.padEnd(600, ".") }]);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(200)) },
      wide: { kind: "processor", make: padded, from: ["in"] },
      narrow: {
        kind: "processor",
        make: map((text) => [{ text: text.split(".")[0]! }]),
        from: ["wide"],
      },
      out: { kind: "reaction", make: out, from: ["narrow"] },
    },
    { batch: { maxEvents: 200, maxBytes: 4096, inFlight: 2 } },
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.items, numbered(200));
      assert.equal(harness.counters("wide").eventsIn, 200);
      assert.equal(harness.counters("wide").eventsOut, 200);
    },
  );
});

Deno.test("a processor waits for its outputs while its consumer is not ready, and goes on afterwards", async () => {
  let open = false;
  const out = keep(() => open ? Status.OK : Status.AGAIN);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(64)) },
      copy: { kind: "processor", make: map(), from: ["in"] },
      out: { kind: "reaction", make: out, from: ["copy"] },
    },
    { batch: { inFlight: 2 } },
    async (harness) => {
      await harness.pass(500);
      assert.ok(harness.counters("copy").eventsOut <= 8);
      open = true;
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.items, numbered(64));
    },
  );
});

Deno.test("batches close at the number of events, at the number of bytes and after the delay", async (t) => {
  await t.step("number", async () => {
    const out = keep();
    await withPipeline(
      {
        in: { kind: "source", make: list(numbered(10), { then: Status.AGAIN }) },
        out: { kind: "reaction", make: out, from: ["in"] },
      },
      { batch: { maxEvents: 3 } },
      async (harness) => {
        await harness.until(() => out.items.length === 10);
        assert.deepEqual(out.batches.map(({ length }) => length), [3, 3, 3, 1]);
      },
    );
  });
  await t.step("bytes", async () => {
    const out = keep();
    const items = numbered(10).map((text) => text.padEnd(1500, "."));
    await withPipeline(
      {
        in: { kind: "source", make: list(items) },
        out: { kind: "reaction", make: out, from: ["in"] },
      },
      { batch: { maxEvents: 100, maxBytes: 4096 } },
      async (harness) => {
        await harness.until(() => harness.states.includes("completed"));
        assert.deepEqual(out.batches.map(({ length }) => length), [2, 2, 2, 2, 2]);
      },
    );
  });
  await t.step("delay", async () => {
    const out = keep();
    await withPipeline(
      {
        in: { kind: "source", make: list(["1", "2"], { then: Status.AGAIN, perPoll: 1 }) },
        out: { kind: "reaction", make: out, from: ["in"] },
      },
      { batch: { maxEvents: 100, maxDelayMs: 40 } },
      async (harness) => {
        await harness.pass(39);
        assert.deepEqual(out.batches, []);
        await harness.pass(2);
        assert.deepEqual(out.batches, [["1", "2"]]);
      },
    );
  });
  await t.step("no delay", async () => {
    const out = keep();
    await withPipeline(
      {
        in: { kind: "source", make: list(["1", "2"], { then: Status.AGAIN, perPoll: 1 }) },
        out: { kind: "reaction", make: out, from: ["in"] },
      },
      { batch: { maxEvents: 100, maxDelayMs: 0 } },
      async (harness) => {
        await harness.until(() => out.items.length === 2);
        assert.deepEqual(out.batches, [["1"], ["2"]]);
      },
    );
  });
});

Deno.test("a record larger than the arena gets a larger one, from a source and from a processor", async () => {
  const out = keep();
  const large = "x".repeat(100_000);
  const items = ["1", large, "2"];
  for (const maxDelayMs of [0, 5]) {
    out.items = [];
    await withPipeline(
      {
        in: { kind: "source", make: list(items) },
        twice: { kind: "processor", make: map((text) => [{ text: text + text }]), from: ["in"] },
        out: { kind: "reaction", make: out, from: ["twice"] },
      },
      { batch: { maxBytes: 4096, maxDelayMs } },
      async (harness) => {
        await harness.until(() => harness.states.includes("completed"));
        assert.deepEqual(out.items, ["11", large + large, "22"]);
        assert.deepEqual(harness.checkpoint(), [3, "3"]);
      },
    );
  }
});

Deno.test("a record larger than any arena ends the cell and names who wanted to write it", async () => {
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll(batch) {
            batch.required = 300 * 1024 * 1024;
            return Status.OK;
          },
        },
      },
      out: { kind: "reaction", make: keep(), from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.failures.length > 0);
      const [failure] = harness.failures;
      assert.equal(failure!.component, "in");
      assert.equal(failure!.code, "MalformedBatch");
      assert.match(failure!.message, /needs 314572800 bytes/);
    },
  );
});

Deno.test("a source that has nothing is polled at growing intervals, and at once when it wakes", async () => {
  let item: string | undefined;
  let polls = 0;
  const out = keep();
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll(batch) {
            polls++;
            if (item === undefined) return Status.AGAIN;
            put(batch, item);
            item = undefined;
            return Status.AGAIN;
          },
        },
      },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    { batch: { maxDelayMs: 0 } },
    async (harness) => {
      await harness.pass(10_000);
      assert.ok(polls < 120, `${polls} polls in 10 s`);
      item = "woken";
      harness.instances.get("in")!.wake();
      harness.turn();
      assert.deepEqual(out.items, ["woken"]);
    },
  );
});

Deno.test("a source that answers later is not polled more often than one that answers at once", async () => {
  let polls = 0;
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll() {
            polls++;
            return Promise.resolve(Status.AGAIN);
          },
        },
      },
      out: { kind: "reaction", make: keep(), from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.pass(10_000);
      assert.ok(polls < 120, `${polls} polls in 10 s`);
    },
  );
});

Deno.test("a source that failed is polled again after a wait, which is short again once it gave something", async () => {
  const answers = [Status.FAILED, Status.FAILED, Status.FAILED, Status.OK, Status.FAILED];
  let polls = 0;
  const polledAt: number[] = [];
  let clock = () => 0;
  const out = keep();
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll(batch) {
            const status = answers[polls++] ?? Status.DONE;
            polledAt.push(clock());
            if (status === Status.OK) { while (put(batch, "1")); }
            return status;
          },
        },
      },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      clock = () => harness.clock;
      await harness.until(() => harness.states.includes("completed"));
      const waits = polledAt.map((at, i) => Math.round(at - (polledAt[i - 1] ?? 0)));
      assert.deepEqual(waits.slice(0, 4), [0, 100, 200, 400]);
      assert.equal(waits[5], 100);
      assert.deepEqual(out.items, ["1", "1", "1", "1"]);
    },
  );
});
