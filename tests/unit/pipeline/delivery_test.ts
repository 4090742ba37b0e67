import assert from "node:assert/strict";
import { BatchFlag, Status } from "../../../ffi/layout.ts";
import type { BuiltinContext } from "../../../src/component/builtin.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { keep, list, map, numbered, texts, withPipeline } from "./harness.ts";

Deno.test("AGAIN: the same batch is offered again at growing intervals, in order, and at once after a wake", async () => {
  let open = false;
  const out = keep(() => open ? Status.OK : Status.AGAIN);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(12)) },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.pass(10_000);
      assert.ok(out.writes < 120, `${out.writes} writes in 10 s`);
      open = true;
      harness.instances.get("out")!.wake();
      harness.turn();
      assert.deepEqual(out.items, numbered(12));
      assert.equal(harness.counters("out").retries, 0);
    },
  );
});

Deno.test("AGAIN: the interval is short again once a batch was accepted", async () => {
  let writes = 0;
  const out = keep(() => ++writes % 4 === 0 ? Status.OK : Status.AGAIN);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(400)) },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.until(() => out.items.length === 400);
      // 100 batches with waits of 1, 2 and 4 ms each.
      assert.ok(harness.clock < 1000, `${harness.clock} ms`);
    },
  );
});

/** A reaction that leaves every batch pending until it is told. */
function later() {
  const open = new Map<number, Batch>();
  let context: BuiltinContext;
  return {
    open,
    accepted: [] as string[],
    make(given: BuiltinContext) {
      context = given;
      return {
        write: (batch: Batch) => {
          open.set(batch.id, batch);
          return Status.PENDING;
        },
      };
    },
    end(id: number, status: number = Status.OK, done = 0, message = "") {
      const items = texts(open.get(id)!);
      open.delete(id);
      this.accepted.push(...(status === Status.OK ? items : items.slice(0, done)));
      context.complete({ batchId: id, status, done, message });
    },
  };
}

Deno.test("PENDING: batches end in any order, and the checkpoint moves only over a gapless run", async () => {
  const out = later();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(12)) },
      out: { kind: "reaction", make: (context) => out.make(context), from: ["in"] },
    },
    { checkpointIntervalMs: 10 },
    async (harness) => {
      await harness.until(() => out.open.size === 3);
      const [first, second, third] = [...out.open.keys()];
      out.end(third!);
      await harness.pass(50);
      assert.deepEqual(harness.checkpoint(), [0, ""]);
      out.end(first!);
      await harness.pass(50);
      assert.deepEqual(harness.checkpoint(), [4, "4"]);
      out.end(second!);
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(harness.checkpoint(), [12, "12"]);
      assert.equal(harness.counters("out").eventsIn, 12);
    },
  );
});

Deno.test("PENDING: at most max_pending batches are open at once", async () => {
  const out = later();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(40)) },
      out: { kind: "reaction", make: (context) => out.make(context), from: ["in"] },
    },
    { maxPending: 2, batch: { inFlight: 8 } },
    async (harness) => {
      while (out.accepted.length < 40) {
        await harness.until(() => out.open.size > 0);
        harness.turn();
        assert.ok(out.open.size <= 2, `${out.open.size} batches are pending`);
        out.end([...out.open.keys()].at(-1)!);
      }
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.accepted.toSorted(), numbered(40).toSorted());
    },
  );
});

Deno.test("PENDING: what a completion did not take is offered again from `done` on", async () => {
  const out = later();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(4)) },
      out: { kind: "reaction", make: (context) => out.make(context), from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.until(() => out.open.size === 1);
      out.end([...out.open.keys()][0]!, Status.FAILED, 1, "disk full");
      await harness.until(() => out.open.size === 1);
      const [again] = [...out.open.entries()];
      assert.deepEqual(texts(again![1]), ["2", "3", "4"]);
      out.end(again![0]);
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.accepted, numbered(4));
      const failed = harness.logs.find(({ message }) => message.startsWith("Write failed"));
      assert.equal(failed?.fields["error"], "disk full");
    },
  );
});

Deno.test("a batch not taken: a wake does not cut the wait before the next attempt", async () => {
  let pending: number | undefined;
  let attempts = 0;
  let context: BuiltinContext;
  const make = (given: BuiltinContext) => {
    context = given;
    return {
      write: (batch: Batch) => {
        if (pending !== undefined) return Status.AGAIN;
        pending = batch.id;
        attempts++;
        return Status.PENDING;
      },
    };
  };
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(12)) },
      out: { kind: "reaction", make, from: ["in"] },
    },
    { batch: { inFlight: 4 } },
    async (harness) => {
      await harness.until(() => pending !== undefined);
      const from = harness.clock;
      while (harness.clock < from + 10_000) {
        if (pending !== undefined) {
          const batchId = pending;
          pending = undefined;
          context.complete({ batchId, status: Status.FAILED, done: 0, message: "no" });
          // There is room for the one that was told to come again.
          context.wake();
        }
        await harness.pass(100);
      }
      assert.ok(attempts < 20, `${attempts} attempts in 10 s`);
    },
  );
});

Deno.test("PENDING: a batch may be completed from within its write", async () => {
  const items: string[] = [];
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(9)) },
      out: {
        kind: "reaction",
        from: ["in"],
        make: (context) => ({
          write(batch) {
            items.push(...texts(batch));
            context.complete({ batchId: batch.id, status: Status.OK, done: 0, message: "" });
            return Status.PENDING;
          },
        }),
      },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(items, numbered(9));
      assert.deepEqual(harness.failures, []);
    },
  );
});

Deno.test("a completion for a batch that is not pending ends the cell, with the reaction to blame", async () => {
  await withPipeline(
    {
      in: { kind: "source", make: list([], { then: Status.AGAIN }) },
      out: { kind: "reaction", make: keep(), from: ["in"] },
    },
    {},
    (harness) => {
      const completion = { batchId: 99, status: Status.OK, done: 0, message: "" };
      harness.instances.get("out")!.complete(completion);
      assert.equal(harness.failures[0]?.component, "out");
      assert.match(harness.failures[0]!.message, /completed batch 99, which is not pending/);
      return Promise.resolve();
    },
  );
});

Deno.test("a FATAL completion ends the cell with its own message", async () => {
  const out = later();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(1)) },
      out: { kind: "reaction", make: (context) => out.make(context), from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.until(() => out.open.size === 1);
      out.end([...out.open.keys()][0]!, Status.FATAL, 0, "broken beyond repair");
      assert.equal(harness.failures[0]?.message, "broken beyond repair");
    },
  );
});

Deno.test("a batch not taken: what was accepted is not offered again, and the rest is marked as offered before", async () => {
  const offered: string[][] = [];
  const flags: number[] = [];
  const out = keep((items, batch) => {
    offered.push(items);
    flags.push(batch.flags & BatchFlag.REPLAY);
    if (items.length === 1 || items.includes("5")) return Status.OK;
    batch.done = items.length > 3 ? 2 : 1;
    return Status.FAILED;
  });
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(8)) },
      other: { kind: "reaction", make: keep(), from: ["in"] },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(offered, [["1", "2", "3", "4"], ["3", "4"], ["4"], ["5", "6", "7", "8"]]);
      assert.deepEqual(flags.map((flag) => flag > 0), [false, true, true, false]);
      assert.deepEqual(out.items, numbered(8));
      assert.equal(harness.counters("out").eventsIn, 8);
      assert.equal(harness.counters("out").retries, 2);
    },
  );
});

Deno.test("a batch not taken: waits grow from initial to max, and count anew behind records that were accepted", async () => {
  const at: number[] = [];
  let clock = () => 0;
  let failures = 0;
  const out = keep((_, batch) => {
    at.push(clock());
    if (failures++ < 6) return Status.FAILED;
    if (failures === 8) {
      batch.done = 1;
      return Status.FAILED;
    }
    return failures === 7 ? (batch.done = 1, Status.FAILED) : Status.OK;
  });
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(4)) },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      clock = () => harness.clock;
      await harness.until(() => harness.states.includes("completed"));
      const waits = at.slice(1).map((time, i) => Math.round(time - at[i]!));
      assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000, 100, 100]);
      assert.deepEqual(out.items, numbered(4));
    },
  );
});

Deno.test("INVALID: only that record is dropped, at once, and the rest is offered", async () => {
  const out = keep((items, batch) => {
    const at = items.findIndex((text) => text === "2" || text === "3" || text === "8");
    if (at < 0) return Status.OK;
    batch.done = at;
    return Status.INVALID;
  });
  for (const second of [false, true]) {
    out.items = [];
    await withPipeline(
      {
        in: { kind: "source", make: list(numbered(8)) },
        out: { kind: "reaction", make: out, from: ["in"] },
        ...(second ? { other: { kind: "reaction", make: keep(), from: ["in"] } } : {}),
      },
      {},
      async (harness) => {
        harness.turn();
        assert.deepEqual(out.items, ["1", "4", "5", "6", "7"]);
        assert.equal(harness.counters("out").dropped, 3);
        await harness.until(() => harness.states.includes("completed"));
        assert.deepEqual(harness.checkpoint(), [8, "8"]);
        const dropped = harness.logs.filter(({ message }) => message.startsWith("Event dropped"));
        assert.deepEqual(dropped.map(({ fields }) => fields["sequence"]), [2, 3, 8]);
      },
    );
  }
});

Deno.test("INVALID: thousands of records of one batch can be dropped one after the other", async () => {
  const count = 5000;
  let writes = 0;
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(count)) },
      out: {
        kind: "reaction",
        from: ["in"],
        make: {
          write() {
            writes++;
            return Status.INVALID;
          },
        },
      },
      other: { kind: "reaction", make: keep(), from: ["in"] },
    },
    { batch: { maxEvents: count, maxBytes: 1024 * 1024 } },
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.equal(writes, count);
      assert.equal(harness.counters("out").dropped, count);
    },
  );
});

Deno.test("max_attempts: after so many failures just that event is dropped, and what is behind it goes on", async () => {
  const out = keep((items, batch) => {
    const at = items.indexOf("6");
    if (at < 0) return Status.OK;
    batch.done = at;
    return Status.FAILED;
  });
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(12)) },
      out: { kind: "reaction", make: out, from: ["in"], maxAttempts: 3 },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.items, ["1", "2", "3", "4", "5", "7", "8", "9", "10", "11", "12"]);
      assert.deepEqual(harness.counters("out"), {
        eventsIn: 11,
        eventsOut: 0,
        dropped: 1,
        retries: 2,
      });
    },
  );
});

Deno.test("max_attempts: failures of different pending batches do not add up", async () => {
  const out = later();
  const failed = new Set<string>();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(32)) },
      out: { kind: "reaction", make: (context) => out.make(context), from: ["in"], maxAttempts: 2 },
    },
    {},
    async (harness) => {
      while (!harness.states.includes("completed")) {
        await harness.until(() => out.open.size > 0 || harness.states.includes("completed"));
        for (const [id, batch] of [...out.open]) {
          const [first] = texts(batch);
          // Each batch fails once.
          if (failed.has(first!)) out.end(id);
          else out.end(id, Status.FAILED);
          failed.add(first!);
        }
      }
      assert.deepEqual(out.accepted.toSorted(), numbered(32).toSorted());
      assert.equal(harness.counters("out").dropped, 0);
    },
  );
});

Deno.test("on_failure stop: the pipeline fails, nothing behind is written or acknowledged, all is taken down", async () => {
  const calls: string[] = [];
  const out = keep((items, batch) => {
    batch.done = items.indexOf("6");
    return batch.done < 4 ? Status.INVALID : Status.OK;
  });
  const source = list(numbered(40));
  await withPipeline(
    {
      in: {
        kind: "source",
        make: { ...source, stop: () => void calls.push("stop in") },
      },
      out: {
        kind: "reaction",
        from: ["in"],
        onFailure: "stop",
        make: {
          write: (batch) => out.write!(batch),
          stop: () => void calls.push("stop out"),
          destroy: () => void calls.push("destroy out"),
        },
      },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("failed"));
      assert.deepEqual(out.items, ["1", "2", "3", "4", "5"]);
      assert.equal(harness.failures[0]?.code, "Rejected");
      assert.equal(harness.failures[0]?.component, "out");
      assert.match(harness.failures[0]!.message, /it did not accept event 6/);
      assert.deepEqual(calls, ["stop in", "stop out", "destroy out"]);
      assert.deepEqual(harness.states, ["running", "failed"]);
      assert.ok(harness.checkpoint()[0] <= 4);
    },
  );
});

Deno.test("a processor that does not succeed keeps what came before `done` and tries the rest again; INVALID drops one record", async () => {
  const out = keep();
  let failures = 0;
  const copy = map();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(8)) },
      picky: {
        kind: "processor",
        from: ["in"],
        make: {
          process(batch) {
            const items = texts(batch);
            const at = items.findIndex((text) => text === "3" || text === "6");
            if (at < 0) return copy.process!(batch);
            // What comes of the records before it is there already.
            const before = batch.count;
            copy.process!(batch);
            const made = batch.outputs[0]!;
            assert.equal(made.count, before);
            made.length = made.length / before * at;
            made.count = at;
            batch.done = at;
            if (items[at] === "6") return Status.INVALID;
            return failures++ < 3
              ? Status.FAILED
              : (made.count = made.length = 0, copy.process!(batch));
          },
        },
      },
      out: { kind: "reaction", make: out, from: ["picky"] },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.items, ["1", "2", "3", "4", "5", "7", "8"]);
      assert.equal(harness.counters("picky").dropped, 1);
      assert.equal(harness.counters("picky").retries, 3);
      assert.deepEqual(harness.checkpoint(), [8, "8"]);
    },
  );
});
