import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinComponent } from "../../../src/component/builtin.ts";
import type { Batch } from "../../../src/event/batch.ts";
import {
  Harness,
  keep,
  list,
  map,
  numbered,
  put,
  type TestComponent,
  withPipeline,
} from "./harness.ts";
import { crash, gate, once, source, withFolder } from "./buffered.ts";

Deno.test("a buffered source is told as soon as its rows are on disk, whatever becomes of them", async () => {
  const reaction = gate();
  const input = once(numbered(40));
  await withPipeline(
    {
      in: source(input)(),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { checkpointIntervalMs: 3_600_000 },
    async (harness) => {
      await harness.until(() => input.committed.at(-1) === "40");
      assert.deepEqual([reaction.items, harness.checkpoint()], [[], [0, ""]]);
      const { events, rows, bytes } = harness.store((store) => store.bufferUsage("in"));
      assert.deepEqual([events, rows], [40, 10]);
      assert.deepEqual(harness.buffer("in"), { bytes, events, dropped: 0, corrupt: 0 });
      const order = input.committed.map(Number);
      assert.deepEqual(order, order.toSorted((a, b) => a - b));
      reaction.closed = false;
      await harness.until(() => reaction.items.length === 40);
      assert.deepEqual(reaction.items, numbered(40), "in order, from memory and from disk");
    },
  );
});

Deno.test("what was committed comes again after a crash, though the source has it no more", () =>
  withFolder(async (folder) => {
    const stuck = gate();
    const first = once(numbered(30));
    const before = new Harness({
      in: source(first)(),
      out: { kind: "reaction", from: ["in"], make: stuck },
    }, { folder });
    await crash(before, () => first.committed.at(-1) === "30");

    const reaction = keep();
    const sequences: number[] = [];
    let resumed = "";
    const second = once(numbered(8, "new "));
    await withPipeline(
      {
        in: source((context) => ({
          start: () => void (resumed = new TextDecoder().decode(context.position)),
          poll: (batch) => {
            if (batch.count === 0) sequences.push(batch.nextSequence);
            return second.poll!(batch);
          },
        }))(),
        out: { kind: "reaction", from: ["in"], make: reaction },
      },
      { folder },
      async (harness) => {
        await harness.until(() => reaction.items.length === 38);
        assert.equal(resumed, "30", "where the last row ends");
        assert.equal(sequences[0], 31, "numbers go on after the last row");
        assert.deepEqual(reaction.items, [...numbered(30), ...numbered(8, "new ")]);
        await harness.until(() => harness.checkpoint()[0] === 38);
        await harness.pass(10);
        assert.deepEqual(harness.buffer("in"), { bytes: 0, events: 0, dropped: 0, corrupt: 0 });
        assert.equal(harness.store((store) => store.bufferUsage("in").rows), 0);
      },
    );
  }));

Deno.test("a crash after a checkpoint brings back only what lies beyond it", () =>
  withFolder(async (folder) => {
    const reaction = keep((items) => items.includes("13") ? Status.AGAIN : Status.OK);
    const before = new Harness({
      in: source(once(numbered(20)))(),
      out: { kind: "reaction", from: ["in"], make: reaction },
    }, { folder, checkpointIntervalMs: 50 });
    await crash(before, () => before.checkpoint()[0] === 12);
    assert.deepEqual(reaction.items, numbered(12));

    const later = keep();
    await withPipeline(
      {
        in: source(once([]))(),
        out: { kind: "reaction", from: ["in"], make: later },
      },
      { folder },
      async (harness) => {
        await harness.until(() => later.items.length === 8);
        assert.deepEqual(later.items, numbered(20).slice(12));
      },
    );
  }));

Deno.test("damaged rows are skipped and counted, and the rest arrives", () =>
  withFolder(async (folder) => {
    const first = once(numbered(40));
    const before = new Harness({
      in: source(first)(),
      out: { kind: "reaction", from: ["in"], make: gate() },
    }, { folder });
    await crash(before, () => first.committed.at(-1) === "40");
    const database = new DatabaseSync(before.storePath);
    // Rows of four events: 13 to 16, and the last.
    database.exec(
      "UPDATE buffer SET data = zeroblob(length(data)) WHERE last_sequence IN (16, 40)",
    );
    database.close();

    const reaction = keep();
    await withPipeline(
      {
        in: source(once([]))(),
        out: { kind: "reaction", from: ["in"], make: reaction },
      },
      { folder },
      async (harness) => {
        await harness.until(() => harness.checkpoint()[0] === 36);
        const all = numbered(36);
        assert.deepEqual(reaction.items, [...all.slice(0, 12), ...all.slice(16)]);
        await harness.pass(10);
        assert.deepEqual(harness.buffer("in"), { bytes: 0, events: 0, dropped: 0, corrupt: 8 });
        const errors = harness.logs.filter(({ level }) => level === "error");
        assert.deepEqual(errors.map(({ fields }) => fields.events), [4, 4]);
      },
    );
  }));

Deno.test("a pipeline is completed only when its buffers are empty", async () => {
  const reaction = gate();
  const ended = list(numbered(60), { perPoll: 4 });
  const harness = new Harness({
    in: source(ended)(),
    out: { kind: "reaction", from: ["in"], make: reaction },
  });
  try {
    await harness.pipeline.create();
    await harness.pipeline.start();
    await harness.pass(2000);
    assert.deepEqual(harness.states, ["running"]);
    reaction.closed = false;
    await harness.until(() => harness.states.includes("completed"));
    assert.deepEqual(reaction.items, numbered(60));
  } finally {
    await harness.pipeline.settled;
    harness.close();
  }
});

Deno.test("stopping keeps what waits for the next start, also what was not in a row yet", () =>
  withFolder(async (folder) => {
    const first = list(numbered(30), { then: Status.AGAIN, perPoll: 3 });
    const options = { folder, batch: { maxEvents: 4, maxDelayMs: 60_000 } };
    const stuck = gate();
    await withPipeline(
      { in: source(first)(), out: { kind: "reaction", from: ["in"], make: stuck } },
      options,
      async (harness) => {
        await harness.until(() => harness.counters("in").eventsOut === 30);
        await harness.stop(harness.clock);
        assert.equal(first.committed.at(-1), "30");
      },
    );
    const reaction = keep();
    await withPipeline(
      { in: source(once([]))(), out: { kind: "reaction", from: ["in"], make: reaction } },
      options,
      async (harness) => {
        await harness.until(() => reaction.items.length === 30);
        assert.deepEqual(reaction.items, numbered(30));
      },
    );
  }));

Deno.test("what a buffer holds is fed even when the configuration has taken it away", () =>
  withFolder(async (folder) => {
    const first = once(numbered(12));
    const before = new Harness({
      in: source(first)(),
      out: { kind: "reaction", from: ["in"], make: gate() },
    }, { folder });
    await crash(before, () => first.committed.at(-1) === "12");
    const reaction = keep();
    const { make, kind } = source(once(numbered(4, "new ")))();
    await withPipeline(
      { in: { kind, make }, out: { kind: "reaction", from: ["in"], make: reaction } },
      { folder },
      async (harness) => {
        await harness.until(() => reaction.items.length === 16);
        assert.deepEqual(reaction.items, [...numbered(12), ...numbered(4, "new ")]);
      },
    );
  }));

Deno.test("a malformed batch ends the cell before it is kept", () =>
  withFolder(async (folder) => {
    const harness = new Harness({
      in: source({
        poll(batch: Batch) {
          put(batch, "good");
          put(batch, "bad");
          batch.view.setUint32(0, 8, true);
          return Status.AGAIN;
        },
      })(),
      out: { kind: "reaction", from: ["in"], make: keep() },
    }, { folder });
    await crash(harness, () => harness.failures.length > 0);
    const { code, component, call, message } = harness.failures[0]!;
    assert.deepEqual([code, component, call], ["MalformedBatch", "in", "poll"], message);
    assert.equal(harness.store((store) => store.bufferUsage("in").rows), 0);
  }));

Deno.test("a source whose calls take long is never called twice at a time", async () => {
  let inside = 0;
  let next = 0;
  const committed: string[] = [];
  const alone = async <T>(action: () => T): Promise<T> => {
    assert.equal(inside++, 0);
    await new Promise((resolve) => setTimeout(resolve, 0));
    inside--;
    return action();
  };
  const reaction = keep();
  await withPipeline(
    {
      in: source({
        poll: (batch) =>
          alone(() => {
            if (next === 50) return Status.AGAIN;
            put(batch, `${++next}`);
            batch.setPosition(new TextEncoder().encode(`${next}`));
            return Status.OK;
          }),
        commit: (position) =>
          alone(() => {
            committed.push(new TextDecoder().decode(position));
            return Status.OK;
          }),
      })(),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { checkpointIntervalMs: 20 },
    async (harness) => {
      await harness.until(() => reaction.items.length === 50 && committed.at(-1) === "50");
      assert.deepEqual(reaction.items, numbered(50));
    },
  );
});

Deno.test("records larger than an arena, processors and several readers work from the buffer too", async () => {
  const reactions = [gate(), gate()];
  const items = numbered(20).map((text, i) => text.padEnd(i % 5 === 0 ? 20_000 : 10, "."));
  await withPipeline(
    {
      in: source(once(items))(),
      same: { kind: "processor", from: ["in"], make: map() },
      a: { kind: "reaction", from: ["same"], make: reactions[0]! },
      b: { kind: "reaction", from: ["in"], make: reactions[1]! },
    },
    { batch: { maxBytes: 4096, inFlight: 2 } },
    async (harness) => {
      await harness.until(() => harness.counters("in").eventsOut === 20);
      await harness.pass(50);
      for (const reaction of reactions) reaction.closed = false;
      await harness.until(() => reactions.every(({ items }) => items.length === 20));
      for (const reaction of reactions) assert.deepEqual(reaction.items, items);
    },
  );
});

Deno.test("events keep the number that their source has now", () =>
  withFolder(async (folder) => {
    const first = once(numbered(8));
    const before = new Harness({
      in: source(first)(),
      out: { kind: "reaction", from: ["in"], make: gate() },
    }, { folder });
    await crash(before, () => first.committed.at(-1) === "8");
    const sources = new Set<number>();
    const reaction = keep((_, batch) => {
      sources.add(batch.view.getUint16(6, true));
      return Status.OK;
    });
    await withPipeline(
      {
        other: source(once([]))(),
        in: source(once([]))(),
        out: { kind: "reaction", from: ["other", "in"], make: reaction },
      },
      { folder },
      async (harness) => {
        await harness.until(() => reaction.items.length === 8);
        assert.deepEqual([...sources], [1]);
      },
    );
  }));

Deno.test("the state of a processor goes with the rows, so that nothing is counted twice or left out", () =>
  withFolder(async (folder) => {
    const summing = (): BuiltinComponent => {
      let sum = 0;
      return {
        ...map((text) => [{ text: `${sum += Number(text)}` }]),
        save: () => ({ version: 1, data: new TextEncoder().encode(`${sum}`) }),
        restore: ({ data }) => void (sum = Number(new TextDecoder().decode(data))),
      };
    };
    const pipeline = (
      poll: BuiltinComponent,
      reaction: BuiltinComponent,
    ): Record<string, TestComponent> => ({
      in: source(poll)(),
      sum: { kind: "processor", from: ["in"], make: summing() },
      out: { kind: "reaction", from: ["sum"], make: reaction },
    });
    const options = { folder, checkpointIntervalMs: 20 };
    const [first, second] = [once(numbered(24)), once(numbered(60).slice(24))];
    const stuck = gate();
    stuck.closed = false;
    const before = new Harness(
      pipeline({
        poll: (batch) => (stuck.closed ? second : first).poll!(batch),
        commit: (position) => (stuck.closed ? second : first).commit!(position),
      }, stuck),
      options,
    );
    await crash(before, () => {
      stuck.closed ||= before.checkpoint()[0] === 24;
      return second.committed.at(-1) === "36";
    });
    const reaction = keep();
    await withPipeline(pipeline(once([]), reaction), options, async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 60);
      assert.deepEqual(reaction.items.length, 36);
      assert.equal(reaction.items.at(-1), `${60 * 61 / 2}`);
    });
  }));
