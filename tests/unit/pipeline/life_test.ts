import assert from "node:assert/strict";
import { BatchFlag, Status } from "../../../ffi/layout.ts";
import type { BuiltinComponent } from "../../../src/component/builtin.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { append } from "../../../src/event/writer.ts";
import { ComponentError } from "../../../src/pipeline/pipeline.ts";
import { Harness, keep, list, map, numbered, texts, withPipeline } from "./harness.ts";

/** Notes each call of the lifecycle. */
function noting(calls: string[], name: string, component: BuiltinComponent): BuiltinComponent {
  const note = (call: string) => () => void calls.push(`${call} ${name}`);
  return {
    start: note("start"),
    stop: note("stop"),
    destroy: note("destroy"),
    ...component,
  };
}

Deno.test("start order: who takes events is started before who gives them; the stop goes with the flow", async () => {
  const calls: string[] = [];
  await withPipeline(
    {
      in: { kind: "source", make: noting(calls, "in", list([], { then: Status.AGAIN })) },
      p: { kind: "processor", make: noting(calls, "p", map()), from: ["in"] },
      out: {
        kind: "reaction",
        make: noting(calls, "out", {
          ...keep(),
          flush: () => (calls.push("flush out"), Status.OK),
        }),
        from: ["p"],
      },
    },
    {},
    async (harness) => {
      assert.deepEqual(calls.splice(0), ["start out", "start p", "start in"]);
      await harness.stop();
      assert.deepEqual(harness.states, ["running", "stopped"]);
    },
  );
  assert.deepEqual(calls, [
    "stop in",
    "stop p",
    "stop out",
    "destroy in",
    "destroy p",
    "destroy out",
  ]);
});

Deno.test("stop: what was polled drains, reactions flush before they stop, the checkpoint is complete", async () => {
  const calls: string[] = [];
  const out = keep();
  const source = list(numbered(7), { then: Status.AGAIN, perPoll: 3 });
  await withPipeline(
    {
      in: { kind: "source", make: noting(calls, "in", source) },
      out: {
        kind: "reaction",
        from: ["in"],
        make: noting(calls, "out", {
          write: (batch) => out.write!(batch),
          flush: () => {
            calls.push(`flush ${out.items.length}`);
            return Status.OK;
          },
        }),
      },
    },
    { batch: { maxEvents: 100, maxDelayMs: 1000 } },
    async (harness) => {
      harness.turn();
      assert.equal(harness.counters("in").eventsOut, 7);
      assert.deepEqual(out.items, [], "the batch is still open");
      calls.length = 0;
      await harness.stop();
      assert.deepEqual(out.items, numbered(7));
      assert.deepEqual(calls, ["stop in", "flush 7", "stop out", "destroy in", "destroy out"]);
      assert.deepEqual(harness.checkpoint(), [7, "7"]);
    },
  );
});

Deno.test("stop: a reaction that takes nothing any more is given up at the deadline", async () => {
  const out = keep(() => Status.AGAIN);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(4)) },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      harness.turn();
      await harness.stop(harness.clock + 5000);
      assert.equal(harness.clock >= 5000, true);
      assert.deepEqual(harness.checkpoint(), [0, ""]);
    },
  );
});

Deno.test("stop: its deadline also counts for a pipeline that is completing", async () => {
  const out = keep(() => Status.AGAIN);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(4)) },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.pass(1000);
      assert.deepEqual(harness.states, ["running"]);
      await harness.stop(harness.clock + 100);
      assert.ok(harness.clock < 2000);
    },
  );
});

Deno.test("stop: a flush that was not possible or did not succeed is made again until it has succeeded", async () => {
  const answers = [Status.AGAIN, Status.FAILED, Status.AGAIN, Status.OK];
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(4)) },
      out: {
        kind: "reaction",
        make: { ...keep(), flush: () => answers.shift()! },
        from: ["in"],
      },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(answers, []);
      assert.deepEqual(harness.checkpoint(), [4, "4"]);
    },
  );
});

Deno.test("start: a component that fails takes down those that were up, and says why", async () => {
  const calls: string[] = [];
  for (const call of ["create", "start"] as const) {
    calls.length = 0;
    const fail = () => {
      throw new Error("the port is taken");
    };
    const source = noting(calls, "in", list([]));
    const harness = new Harness({
      in: {
        kind: "source",
        make: call === "create" ? fail : { ...source, start: fail },
      },
      out: { kind: "reaction", make: noting(calls, "out", keep()), from: ["in"] },
    });
    try {
      const bringUp = async () => {
        await harness.pipeline.create();
        await harness.pipeline.start();
      };
      await assert.rejects(bringUp(), (error: unknown) => {
        assert.ok(error instanceof ComponentError);
        assert.equal(error.failure.component, "in");
        assert.equal(error.failure.call, call);
        assert.equal(error.failure.code, call === "create" ? "CreateFailed" : "StartFailed");
        assert.equal(error.message, "the port is taken");
        return true;
      });
      assert.deepEqual(
        calls,
        call === "create" ? [] : ["start out", "stop out", "destroy in", "destroy out"],
      );
      assert.equal(harness.pipeline.ended, true);
    } finally {
      harness.close();
    }
  }
});

/** A processor that keeps everything back and emits it, `perTick` at a time, when it ticks. */
function holding(perTick: number) {
  const held: string[] = [];
  const flags: number[] = [];
  let stopped = false;
  return {
    held,
    flags,
    component: {
      process(batch) {
        held.push(...texts(batch));
        return Status.OK;
      },
      tick(batch) {
        assert.equal(stopped, false, "it is not called after its stop");
        flags.push(batch.flags);
        const out = batch.outputs[0]!;
        for (let left = perTick; held.length > 0; left--) {
          const payload = new TextEncoder().encode(held[0]!);
          if (left === 0 || !append(out, { payload }, { sequence: 0, source: 0 })) {
            return Status.MORE;
          }
          held.shift();
        }
        return Status.OK;
      },
      stop: () => void (stopped = true),
    } satisfies BuiltinComponent as BuiltinComponent,
  };
}

Deno.test("tick: it comes every interval, and goes on while the processor says MORE", async () => {
  const { component, flags } = holding(2);
  const out = keep();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(10), { then: Status.AGAIN }) },
      p: { kind: "processor", make: component, from: ["in"], tickInterval: 50 },
      out: { kind: "reaction", make: out, from: ["p"] },
    },
    {},
    async (harness) => {
      await harness.pass(49);
      assert.deepEqual(out.items, []);
      await harness.pass(2);
      assert.deepEqual(out.items, numbered(10));
      assert.equal(flags.length, 5);
      await harness.pass(1000);
      assert.equal(flags.length, 5 + 20);
    },
  );
});

Deno.test("tick: without an interval it comes after a wake only, once", async () => {
  const { component, flags } = holding(100);
  const out = keep();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(10), { then: Status.AGAIN }) },
      p: { kind: "processor", make: component, from: ["in"] },
      out: { kind: "reaction", make: out, from: ["p"] },
    },
    { batch: { maxEvents: 100 } },
    async (harness) => {
      await harness.pass(1000);
      assert.deepEqual(flags, []);
      harness.instances.get("p")!.wake();
      await harness.pass(1000);
      assert.deepEqual(flags, [0]);
      assert.deepEqual(out.items, numbered(10));
    },
  );
});

Deno.test("tick of a reaction: every interval and after a wake, no success is logged, a fatal one ends the cell", async () => {
  let status: number = Status.OK;
  const ticks: bigint[] = [];
  const tick = (batch: Batch) => (ticks.push(batch.now), status);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(10), { then: Status.AGAIN }) },
      out: { kind: "reaction", make: { ...keep(), tick }, from: ["in"], tickInterval: 50 },
      other: { kind: "reaction", make: { ...keep(), tick }, from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.pass(49);
      assert.equal(ticks.length, 0);
      await harness.pass(1000);
      assert.equal(ticks.length, 20);
      assert.ok(ticks[0]! > 0n);
      harness.instances.get("other")!.wake();
      harness.turn();
      assert.equal(ticks.length, 21);
      status = Status.FAILED;
      harness.instances.get("other")!.wake();
      harness.turn();
      assert.deepEqual(harness.logs.map(({ message }) => message), ["Tick failed"]);
      status = Status.FATAL;
      await harness.until(() => harness.failures.length > 0);
      assert.equal(harness.failures[0]!.component, "out");
      assert.equal(harness.failures[0]!.call, "tick");
    },
  );
});

Deno.test("tick of a reaction: it comes while batches wait after AGAIN, and does not offer them early", async () => {
  let ticks = 0;
  let writes = 0;
  const refusing: BuiltinComponent = {
    write: () => (writes++, Status.FAILED),
    tick: () => (ticks++, Status.OK),
  };
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(1), { then: Status.AGAIN }) },
      out: { kind: "reaction", make: refusing, from: ["in"], tickInterval: 10 },
    },
    {},
    async (harness) => {
      await harness.pass(99);
      assert.deepEqual([writes, ticks], [1, 9]);
      await harness.pass(9);
      assert.deepEqual([writes, ticks], [2, 10]);
    },
  );
});

Deno.test("drain: processors emit what they hold before they are stopped, each after the one before it", async () => {
  const first = holding(3);
  const second = holding(3);
  const out = keep();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(100)) },
      first: { kind: "processor", make: first.component, from: ["in"], tickInterval: 1_000_000 },
      second: { kind: "processor", make: second.component, from: ["first"] },
      out: { kind: "reaction", make: out, from: ["second"] },
    },
    { batch: { inFlight: 2 } },
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(out.items, numbered(100));
      assert.ok(first.flags.every((flags) => flags === BatchFlag.DRAIN));
      assert.deepEqual(harness.checkpoint(), [100, "100"]);
    },
  );
});

Deno.test("drain: a long one does not pile up calls, and waits for a reaction that is slow", async () => {
  const held = holding(1);
  let writes = 0;
  const out = keep(() => ++writes % 500 === 0 ? Status.AGAIN : Status.OK);
  const count = 20_000;
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(count)) },
      held: { kind: "processor", make: held.component, from: ["in"] },
      out: { kind: "reaction", make: out, from: ["held"] },
    },
    { batch: { maxEvents: 1000, inFlight: 2 } },
    async (harness) => {
      await harness.until(() => harness.states.includes("completed"));
      assert.equal(out.items.length, count);
    },
  );
});

Deno.test("a pipeline that is taken down waits for a call that is being made off the event loop", async () => {
  const calls: string[] = [];
  let end = (_: number) => {};
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(1)) },
      out: {
        kind: "reaction",
        from: ["in"],
        make: noting(calls, "out", {
          write: () => new Promise<number>((resolve) => end = resolve),
        }),
      },
    },
    {},
    async (harness) => {
      harness.turn();
      calls.length = 0;
      let stopped = false;
      const stopping = harness.pipeline.stop(harness.clock).then(() => stopped = true);
      for (let i = 0; i < 5; i++) {
        harness.turn();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      assert.deepEqual(calls, []);
      end(Status.OK);
      await harness.until(() => stopped);
      await stopping;
      assert.deepEqual(calls, ["stop out", "destroy out"]);
    },
  );
});
