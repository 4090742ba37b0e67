import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinContext } from "../../../src/component/builtin.ts";
import { keep, list, map, numbered, put, withPipeline } from "./harness.ts";

Deno.test("a checkpoint is noted only after every reaction that can has flushed, then the source is told", async () => {
  const order: string[] = [];
  const source = list(numbered(8), { then: Status.AGAIN });
  const checkpoint = { now: (): [number, string] => [0, ""] };
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll: (batch) => source.poll!(batch),
          commit(position) {
            order.push(`commit ${new TextDecoder().decode(position)} after ${checkpoint.now()[0]}`);
            return Status.OK;
          },
        },
      },
      a: {
        kind: "reaction",
        from: ["in"],
        make: {
          ...keep(),
          flush() {
            order.push(`flush a at ${checkpoint.now()[0]}`);
            return Status.OK;
          },
        },
      },
      b: {
        kind: "reaction",
        from: ["in"],
        make: {
          ...keep(),
          async flush() {
            await Promise.resolve();
            order.push(`flush b at ${checkpoint.now()[0]}`);
            return Status.OK;
          },
        },
      },
    },
    {},
    async (harness) => {
      checkpoint.now = () => harness.checkpoint();
      await harness.pass(999);
      assert.deepEqual(order, []);
      await harness.until(() => order.length === 3);
      assert.deepEqual(order, ["flush a at 0", "flush b at 0", "commit 8 after 8"]);
      order.length = 0;
      await harness.pass(5000);
      assert.deepEqual(order, [], "nothing new, no checkpoint");
    },
  );
});

Deno.test("a flush that fails leaves the checkpoint where it was, and is tried again", async () => {
  const answers: number[] = [Status.FAILED, Status.AGAIN, Status.OK];
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(8), { then: Status.AGAIN }) },
      out: { kind: "reaction", make: { ...keep(), flush: () => answers.shift()! }, from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.until(() => answers.length === 2);
      await harness.pass(1);
      assert.deepEqual(harness.checkpoint(), [0, ""]);
      assert.ok(harness.logs.some(({ message }) => message.startsWith("Flush failed")));
      await harness.until(() => answers.length === 0);
      await harness.pass(1);
      assert.deepEqual(harness.checkpoint(), [8, "8"]);
    },
  );
});

Deno.test("events that came while a reaction flushed are not part of that checkpoint", async () => {
  let at = 0;
  let end: ((status: number) => void) | undefined;
  const quick = keep();
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll(batch) {
            while (put(batch, String(at + 1))) at++;
            batch.setPosition(new TextEncoder().encode(String(at)));
            return quick.items.length < 400 ? Status.OK : Status.AGAIN;
          },
        },
      },
      quick: { kind: "reaction", make: quick, from: ["in"] },
      durable: {
        kind: "reaction",
        from: ["in"],
        make: { ...keep(), flush: () => new Promise<number>((resolve) => end = resolve) },
      },
    },
    { checkpointIntervalMs: 1, batch: { inFlight: 8 } },
    async (harness) => {
      harness.clock = 10;
      harness.pipeline.step();
      harness.pipeline.service();
      assert.ok(end);
      harness.pipeline.step();
      assert.equal(quick.items.length, 8);
      end(Status.OK);
      await harness.until(() => harness.checkpoint()[0] > 0);
      assert.deepEqual(harness.checkpoint(), [4, "4"]);
      const resolve = setInterval(() => end!(Status.OK), 1);
      await harness.stop();
      clearInterval(resolve);
    },
  );
});

Deno.test("a reaction that is always in a call still comes to its flush", async () => {
  let at = 0;
  let flushes = 0;
  let inside = 0;
  const call = async () => {
    assert.equal(++inside, 1, "calls on an instance are made one after the other");
    await new Promise((resolve) => setTimeout(resolve, 0));
    inside--;
    return Status.OK;
  };
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll(batch) {
            while (put(batch, "1")) at++;
            return Status.OK;
          },
        },
      },
      out: {
        kind: "reaction",
        from: ["in"],
        make: {
          write: call,
          flush() {
            flushes++;
            return call();
          },
        },
      },
    },
    { checkpointIntervalMs: 1 },
    async (harness) => {
      for (let turns = 0; flushes < 3; turns++) {
        assert.ok(turns < 5000, `${flushes} flushes`);
        harness.clock++;
        harness.pipeline.step();
        harness.pipeline.service();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      assert.ok(at > 0);
    },
  );
});

Deno.test("commit and poll of a source that answers later are made one after the other", async () => {
  let inside = 0;
  let commits = 0;
  const alone = async (status: number) => {
    assert.equal(++inside, 1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    inside--;
    return status;
  };
  await withPipeline(
    {
      in: {
        kind: "source",
        make: {
          poll(batch) {
            put(batch, "1");
            return alone(Status.OK);
          },
          commit() {
            commits++;
            return alone(Status.OK);
          },
        },
      },
      out: { kind: "reaction", make: keep(), from: ["in"] },
    },
    { checkpointIntervalMs: 1, batch: { maxDelayMs: 0 } },
    async (harness) => {
      for (let turns = 0; commits < 5; turns++) {
        assert.ok(turns < 5000);
        harness.clock++;
        harness.pipeline.step();
        harness.pipeline.service();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      assert.deepEqual(harness.failures, []);
    },
  );
});

Deno.test("resume: sources get their position, everybody what was acknowledged, numbers go on", async () => {
  const seen: string[] = [];
  const note = (context: BuiltinContext) => {
    const acknowledged = context.acknowledged.map(({ sourceId, source, sequence }) =>
      `${sourceId}/${source}/${sequence}`
    );
    seen.push(`${context.id} ${new TextDecoder().decode(context.position)} ${acknowledged}`);
  };
  const first: number[] = [];
  await withPipeline(
    {
      in: {
        kind: "source",
        make: (context) => ({
          start: () => note(context),
          poll(batch) {
            first.push(batch.nextSequence);
            put(batch, "next");
            return Status.DONE;
          },
        }),
      },
      out: {
        kind: "reaction",
        from: ["in"],
        make: (context) => ({ ...keep(), start: () => note(context) }),
      },
    },
    { resume: { sequence: 2 ** 40, position: "there" } },
    async (harness) => {
      assert.deepEqual(seen, [`out  in/0/${2 ** 40}`, `in there in/0/${2 ** 40}`]);
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(first, [2 ** 40 + 1]);
      assert.deepEqual(harness.checkpoint(), [2 ** 40 + 1, "there"], "without one, the one before");
    },
  );
});

Deno.test("a checkpoint waits for everything that processors made of a batch", async () => {
  let open = false;
  const slow = keep(() => open ? Status.OK : Status.AGAIN);
  const quick = keep();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(8), { then: Status.AGAIN }) },
      p: {
        kind: "processor",
        from: ["in"],
        make: map((text) => [{ output: Number(text) % 2, text }]),
        outputs: ["even", "odd"],
      },
      quick: { kind: "reaction", make: quick, from: ["p.0"] },
      slow: { kind: "reaction", make: slow, from: ["p.1"] },
    },
    {},
    async (harness) => {
      await harness.pass(3000);
      assert.deepEqual(quick.items, ["2", "4", "6", "8"]);
      assert.deepEqual(harness.checkpoint(), [0, ""]);
      open = true;
      await harness.pass(3000);
      assert.deepEqual(harness.checkpoint(), [8, "8"]);
    },
  );
});
