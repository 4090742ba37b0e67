import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinComponent } from "../../../src/component/builtin.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { append } from "../../../src/event/writer.ts";
import { keep, list, map, numbered, put, texts, withPipeline } from "./harness.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A source of the numbers from 1 to `count` that resumes at its position. */
function counting(
  count: number,
): BuiltinComponent | ((context: { position: Uint8Array }) => BuiltinComponent) {
  return (context: { position: Uint8Array }) => {
    let at = 0;
    return {
      start() {
        at = Number(decoder.decode(context.position) || 0);
      },
      poll(batch: Batch) {
        while (at < count && put(batch, String(at + 1))) at++;
        if (batch.count > 0) batch.setPosition(encoder.encode(String(at)));
        return at === count ? Status.AGAIN : Status.OK;
      },
    };
  };
}

/** A processor that sums up what it passes on, and keeps the sum. */
function summing() {
  const pass = map();
  const it = {
    sum: 0,
    restored: -1,
    process(batch: Batch) {
      for (const text of texts(batch)) it.sum += Number(text);
      return pass.process!(batch);
    },
    save: () => ({ version: 1, data: encoder.encode(String(it.sum)) }),
    restore({ data }: { data: Uint8Array }) {
      it.sum = it.restored = Number(decoder.decode(data));
    },
  };
  return it;
}

const sum = (items: string[]) => items.reduce((total, item) => total + Number(item), 0);

Deno.test("a processor's state is stored with the very checkpoint that it belongs to", async () => {
  const processor = summing();
  let held = true;
  const out = keep(() => held ? Status.AGAIN : Status.OK);
  await withPipeline(
    {
      in: { kind: "source", make: counting(100) as BuiltinComponent },
      sum: { kind: "processor", make: processor, from: ["in"] },
      out: { kind: "reaction", make: out, from: ["sum"] },
    },
    { checkpointIntervalMs: 1 },
    async (harness) => {
      await harness.pass(50);
      const stored = () => harness.store((store) => store.checkpoint());
      assert.deepEqual(stored(), { marks: [], states: [] }, "nothing is accepted yet");
      held = false;
      for (let rounds = 0; rounds < 20; rounds++) {
        await harness.pass(3);
        const { marks: [mark], states: [state] } = stored();
        if (mark === undefined) continue;
        const expected = mark.sequence * (mark.sequence + 1) / 2;
        assert.equal(decoder.decode(state!.data), String(expected), `at ${mark.sequence}`);
        assert.ok(out.items.length >= mark.sequence);
      }
      await harness.until(() => harness.checkpoint()[0] === 100);
    },
  );
});

Deno.test("a state is restored before the start, and counts what is replayed once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const first = summing();
    const out = keep();
    const parts = (processor: BuiltinComponent, count: number) => ({
      in: { kind: "source" as const, make: counting(count) as BuiltinComponent },
      sum: { kind: "processor" as const, make: processor, from: ["in"] },
      out: { kind: "reaction" as const, make: out, from: ["sum"] },
    });
    await withPipeline(parts(first, 40), { folder }, async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 40);
    });
    const second = summing();
    await withPipeline(parts(second, 60), { folder }, async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 60);
    });
    assert.equal(second.restored, 40 * 41 / 2);
    assert.equal(second.sum, 60 * 61 / 2);
    assert.deepEqual(out.items, numbered(60));
    assert.equal(sum(out.items), second.sum);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a save that fails leaves the checkpoint where it was, and is tried again", async () => {
  let fail = true;
  const processor = {
    ...map(),
    save() {
      if (fail) throw new Error("not now");
      return { version: 1, data: new Uint8Array([1]) };
    },
  };
  await withPipeline(
    {
      in: { kind: "source", make: counting(8) as BuiltinComponent },
      p: { kind: "processor", make: processor, from: ["in"] },
      out: { kind: "reaction", make: keep(), from: ["p"] },
    },
    { checkpointIntervalMs: 1 },
    async (harness) => {
      await harness.until(() =>
        harness.logs.some(({ message }) => message.startsWith("Save failed"))
      );
      assert.deepEqual(harness.checkpoint(), [0, ""]);
      fail = false;
      await harness.until(() => harness.checkpoint()[0] === 8);
    },
  );
});

Deno.test("a slow branch holds the barrier of a state up for nobody: the others go on, only the checkpoint waits", async () => {
  let open = false;
  let saves = 0;
  const quick = keep();
  const processor = {
    ...map(),
    save() {
      saves++;
      return { version: 1, data: new Uint8Array([1]) };
    },
  };
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(100)) },
      p: { kind: "processor", make: processor, from: ["in"] },
      quick: { kind: "reaction", make: quick, from: ["p"] },
      slow: {
        kind: "reaction",
        // Something must be accepted before there is a checkpoint to take.
        make: keep(([first]) => open || first === "1" ? Status.OK : Status.AGAIN),
        from: ["in"],
      },
    },
    { checkpointIntervalMs: 1, batch: { maxEvents: 4, inFlight: 4 } },
    async (harness) => {
      await harness.until(() => quick.items.length === 20 && saves > 0);
      assert.ok(harness.checkpoint()[0] <= 4);
      open = true;
      await harness.until(() => harness.states.includes("completed"));
      assert.deepEqual(quick.items, numbered(100));
      assert.equal(harness.checkpoint()[0], 100);
    },
  );
});

Deno.test("a state is not given to another plugin that takes over the id", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const processor = summing();
    const parts = () => ({
      in: { kind: "source" as const, make: counting(8) as BuiltinComponent },
      sum: { kind: "processor" as const, make: processor, from: ["in"] },
      out: { kind: "reaction" as const, make: keep(), from: ["sum"] },
    });
    await withPipeline(parts(), { folder }, async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 8);
      harness.store((store) => {
        const { marks, states: [state] } = store.checkpoint();
        assert.equal(state!.component, "sum@builtin");
        store.retain({ sources: ["in"], components: [] });
        const foreign = { ...state!, component: "sum@another" };
        store.commit({ marks, states: [foreign], deadLetters: [] });
      });
    });
    processor.restored = -1;
    await withPipeline(parts(), { folder }, async (harness) => {
      await harness.pass(1);
      assert.equal(processor.restored, -1);
      assert.deepEqual(
        harness.store((store) => store.checkpoint().states).map(({ component }) => component),
        [],
      );
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what a tick emitted is stored by a checkpoint of its own, though no source has moved", async () => {
  let held: string[] = [];
  let release = false;
  let flushes = 0;
  const processor: BuiltinComponent = {
    process(batch) {
      held.push(...texts(batch));
      return Status.OK;
    },
    tick(batch) {
      if (!release) return Status.OK;
      for (const text of held) {
        append(batch.outputs[0]!, { payload: encoder.encode(text) }, { sequence: 0, source: 0 });
      }
      held = [];
      return Status.OK;
    },
    save: () => ({ version: 1, data: encoder.encode(held.join()) }),
  };
  const out = { ...keep(), flush: () => (flushes++, Status.OK) };
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(3), { then: Status.AGAIN }) },
      hold: { kind: "processor", make: processor, from: ["in"], tickInterval: 10 },
      out: { kind: "reaction", make: out, from: ["hold"] },
    },
    { checkpointIntervalMs: 5 },
    async (harness) => {
      const state = () => {
        const { states: [state] } = harness.store((store) => store.checkpoint());
        return state && decoder.decode(state.data);
      };
      await harness.until(() => harness.checkpoint()[0] === 3);
      assert.equal(state(), numbered(3).join());
      const before = flushes;
      release = true;
      await harness.until(() => state() === "");
      assert.equal(flushes, before + 1);
      await harness.pass(100);
      assert.equal(flushes, before + 1, "and none follows without need");
    },
  );
});
