import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import { keep, list, numbered, put, withPipeline } from "./harness.ts";
import { bare, gate, once, source, TIGHT, wide } from "./buffered.ts";

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
