import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinComponent, BuiltinContext } from "../../../src/component/builtin.ts";
import type { BufferSettings } from "../../../src/config/resolved.ts";
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

const ROOMY: BufferSettings = { maxBytes: 2 ** 20, whenFull: "block" };
/** Room for a few batches of four events of 200 bytes; arenas of a page. */
const TIGHT = { batch: { maxBytes: 4096, inFlight: 2 } };

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A reaction that takes nothing while `closed`. */
function gate(): ReturnType<typeof keep> & { closed: boolean } {
  const reaction = keep(() => gated.closed ? Status.AGAIN : Status.OK);
  const gated = Object.assign(reaction, { closed: true });
  return gated;
}

function source(make: BuiltinComponent | ((context: BuiltinContext) => BuiltinComponent)) {
  return (buffer: BufferSettings = ROOMY) => ({ kind: "source", make, buffer }) as const;
}

/** A source that gives its texts once in the life of the test, whatever the position: it cannot replay. */
function once(items: readonly string[]): ReturnType<typeof list> {
  return list(items, { then: Status.AGAIN, perPoll: 4 });
}

const wide = (count: number) => numbered(count).map((text) => text.padEnd(200, "."));
const bare = (items: string[]) => items.map((text) => Number(text.replace(/\.*$/, "")));

/** Runs as far as `condition`, then leaves the pipeline as a crash would. */
async function crash(harness: Harness, condition: () => boolean): Promise<void> {
  await harness.pipeline.create();
  await harness.pipeline.start();
  await harness.until(condition);
  harness.close();
}

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

Deno.test("block: a full buffer is polled into no more, and nothing is lost", async () => {
  const reaction = gate();
  const maxBytes = 16_384;
  const input = once(wide(400));
  await withPipeline(
    {
      in: source(input)({ maxBytes, whenFull: "block" }),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { ...TIGHT, checkpointIntervalMs: 50 },
    async (harness) => {
      await harness.pass(2000);
      const { bytes, events } = harness.buffer("in");
      assert.ok(bytes <= maxBytes && bytes > maxBytes / 2, `${bytes} bytes`);
      const { polls } = input;
      await harness.pass(2000);
      assert.equal(input.polls, polls, "it is not polled");
      assert.equal(Number(input.committed.at(-1)), events);
      reaction.closed = false;
      await harness.until(() => {
        assert.ok(harness.buffer("in").bytes <= maxBytes);
        return reaction.items.length === 400;
      });
      assert.deepEqual(reaction.items, wide(400));
      assert.equal(harness.counters("in").dropped, 0);
    },
  );
});

Deno.test("drop_oldest: the oldest events that nobody was given yet make room, and are counted", async () => {
  const reaction = gate();
  const maxBytes = 16_384;
  await withPipeline(
    {
      in: source(once(wide(400)))({ maxBytes, whenFull: "drop_oldest" }),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { ...TIGHT, checkpointIntervalMs: 50 },
    async (harness) => {
      await harness.until(() => harness.counters("in").eventsOut === 400);
      await harness.pass(100);
      const { bytes, dropped } = harness.buffer("in");
      assert.ok(bytes <= maxBytes, `${bytes} bytes`);
      assert.ok(dropped > 300, `${dropped} events`);
      reaction.closed = false;
      await harness.until(() => reaction.items.length === 400 - dropped);
      await harness.pass(2000);
      const got = bare(reaction.items);
      assert.equal(got.length, 400 - dropped);
      assert.deepEqual(got.slice(0, 8), [1, 2, 3, 4, 5, 6, 7, 8], "what was under way stays");
      assert.deepEqual(
        got.slice(8),
        Array.from({ length: got.length - 8 }, (_, i) => 409 + i - got.length),
      );
      assert.equal(harness.counters("in").dropped, dropped);
      assert.ok(harness.logs.some(({ message }) => /Buffer is full/.test(message)));
    },
  );
});

Deno.test("reject: the newest events find no room and are counted; later ones come through", async () => {
  const reaction = gate();
  const maxBytes = 16_384;
  const items = wide(400);
  const input = list(items, { then: Status.AGAIN, perPoll: 4 });
  await withPipeline(
    {
      in: source(input)({ maxBytes, whenFull: "reject" }),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { ...TIGHT, checkpointIntervalMs: 50 },
    async (harness) => {
      await harness.until(() => harness.counters("in").eventsOut === 400);
      await harness.pass(100);
      const { bytes, events, dropped } = harness.buffer("in");
      assert.ok(bytes <= maxBytes && events + dropped === 400, `${bytes} bytes, ${events} events`);
      assert.equal(
        Number(input.committed.at(-1)),
        events,
        "no more is committed than what is kept",
      );
      reaction.closed = false;
      await harness.until(() => reaction.items.length === events);
      await harness.until(() => harness.buffer("in").bytes === 0);
      assert.deepEqual(bare(reaction.items), numbered(events).map(Number));
      assert.equal(harness.counters("in").dropped, dropped);
    },
  );
});

Deno.test("a full disk holds the source back, and nothing is lost", async () => {
  const reaction = gate();
  const input = once(wide(2000));
  await withPipeline(
    {
      in: source(input)({ maxBytes: 2 ** 30, whenFull: "block" }),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { ...TIGHT, checkpointIntervalMs: 50, maxPages: 24 },
    async (harness) => {
      const failed = () => harness.logs.filter(({ message }) => /Buffer failed/.test(message));
      await harness.until(() => failed().length === 3);
      const { polls } = input;
      await harness.pass(2000);
      assert.equal(input.polls, polls, "it is not polled");
      assert.match(`${failed()[0]!.fields.error}`, /full/);
      assert.equal(Number(input.committed.at(-1)), harness.buffer("in").events);
      reaction.closed = false;
      await harness.until(() => reaction.items.length === 2000);
      assert.deepEqual(reaction.items, wide(2000));
      assert.equal(harness.counters("in").dropped, 0);
    },
  );
});

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

Deno.test("memory does not grow with what waits on disk", async () => {
  const reaction = gate();
  const held = new Set<number>();
  await withPipeline(
    {
      in: source({
        poll(batch) {
          held.add(Number(batch.address));
          while (put(batch, "x".repeat(200)));
          batch.setPosition(new Uint8Array(1));
          return Status.OK;
        },
      })({ maxBytes: 2 ** 20, whenFull: "block" }),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { batch: { maxBytes: 4096, maxEvents: 1000, inFlight: 3 } },
    async (harness) => {
      await harness.pass(3000);
      assert.ok(harness.buffer("in").events > 3000, `${harness.buffer("in").events} events`);
      assert.ok(held.size <= 7, `${held.size} batches`);
    },
  );
});

for (const whenFull of ["block", "drop_oldest", "reject"] as const) {
  Deno.test(`${whenFull}: what is finished does not count as full while checkpoints are stored`, async () => {
    const reaction = keep();
    await withPipeline(
      {
        in: source(once(wide(400)))({ maxBytes: 16_384, whenFull }),
        out: { kind: "reaction", from: ["in"], make: reaction },
      },
      { ...TIGHT, checkpointIntervalMs: 3_600_000 },
      async (harness) => {
        await harness.until(() => reaction.items.length === 400);
        assert.deepEqual(reaction.items, wide(400));
        assert.equal(harness.counters("in").dropped, 0);
      },
    );
  });
}

Deno.test("reject goes on giving up when no checkpoint comes to make room", async () => {
  let flushes = 0;
  const reaction = {
    ...keep(),
    flush: () => {
      flushes++;
      return Status.FAILED;
    },
  };
  await withPipeline(
    {
      in: source(once(wide(400)))({ maxBytes: 16_384, whenFull: "reject" }),
      out: { kind: "reaction", from: ["in"], make: reaction },
    },
    { ...TIGHT, checkpointIntervalMs: 5000 },
    async (harness) => {
      await harness.pass(60_000);
      assert.ok(harness.buffer("in").dropped > 0);
      assert.ok(harness.buffer("in").bytes <= 16_384);
      assert.ok(flushes <= 14, `a round that failed is not hurried: ${flushes}`);
    },
  );
});

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
