import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Status } from "../../../ffi/layout.ts";
import { type Harness, keep, list, map, numbered, texts, withPipeline } from "./harness.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A reaction that says INVALID to the texts that `bad` names. */
function picky(bad: Set<string>) {
  return keep((items, batch) => {
    const at = items.findIndex((item) => bad.has(item));
    if (at < 0) return Status.OK;
    batch.done = at;
    return Status.INVALID;
  });
}

function letters(harness: Harness) {
  return harness.store((store) => store.letters({}, { limit: 100, offset: 0 }));
}

Deno.test("INVALID: only that record becomes a dead letter, in the transaction of its checkpoint", async () => {
  const out = picky(new Set(["3", "7"]));
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(8), { then: Status.AGAIN }) },
      out: { kind: "reaction", make: out, from: ["in"], onFailure: "dead_letter" },
    },
    {},
    async (harness) => {
      await harness.until(() => out.items.length === 6);
      assert.equal(letters(harness).length, 0, "not before the checkpoint");
      await harness.until(() => harness.checkpoint()[0] === 8);
      assert.deepEqual(out.items, ["1", "2", "4", "5", "6", "8"]);
      assert.deepEqual(
        letters(harness).map(({ component, code, attempts, source, sequence, payload }) =>
          [component, code, attempts, source, sequence, text(payload)].join()
        ),
        ["out,Invalid,1,in,3,3", "out,Invalid,1,in,7,7"],
      );
    },
  );
});

Deno.test("a batch not taken: after max_attempts just that event becomes a dead letter, and what is behind it is offered again", async () => {
  const out = keep((items, batch) => {
    batch.done = 0;
    return items[0] === "1" || items[0] === "2" ? Status.FAILED : Status.OK;
  });
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(6), { then: Status.AGAIN }) },
      out: { kind: "reaction", make: out, from: ["in"], maxAttempts: 3, onFailure: "dead_letter" },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 6);
      assert.deepEqual(out.items, ["3", "4", "5", "6"]);
      assert.deepEqual(
        letters(harness).map(({ code, attempts, sequence }) => [code, attempts, sequence].join()),
        ["Failed,3,1", "Failed,3,2"],
      );
      assert.equal(harness.counters("out").dropped, 2);
    },
  );
});

Deno.test("a processor's refused record becomes a dead letter, and its neighbours go on", async () => {
  const out = keep();
  const processor = map();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(4), { then: Status.AGAIN }) },
      middle: {
        kind: "processor",
        from: ["in"],
        onFailure: "dead_letter",
        make: {
          process(batch) {
            const at = texts(batch).indexOf("2");
            if (at < 0) return processor.process!(batch);
            if (at === 0) {
              batch.done = 0;
              return Status.INVALID;
            }
            batch.done = 0;
            return Status.FAILED;
          },
        },
        maxAttempts: 1,
      },
      out: { kind: "reaction", make: out, from: ["middle"] },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 4);
      assert.deepEqual(out.items, ["3", "4"]);
      assert.deepEqual(
        letters(harness).map(({ component, code, sequence }) => [component, code, sequence].join()),
        ["middle,Failed,1", "middle,Invalid,2"],
      );
    },
  );
});

Deno.test("a dead letter that is replayed and accepted is gone, one that is refused again stays and says so", async () => {
  const bad = new Set(["2", "3"]);
  const out = picky(bad);
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(4), { then: Status.AGAIN }) },
      out: { kind: "reaction", make: out, from: ["in"], onFailure: "dead_letter" },
    },
    {},
    async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 4);
      assert.equal(letters(harness).length, 2);
      bad.delete("2");
      assert.equal(harness.store((store) => store.requestReplay({})), 2);
      harness.pipeline.replayLetters();
      await harness.until(() => letters(harness).length === 1 && !letters(harness)[0]!.replaying);
      const [letter] = letters(harness);
      assert.deepEqual([letter!.sequence, letter!.attempts], [3, 2]);
      assert.deepEqual(out.items, ["1", "4", "2"]);
    },
  );
});

Deno.test("letters that were marked before the start are offered again", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const parts = (out: ReturnType<typeof keep>) => ({
      in: { kind: "source" as const, make: list(numbered(4), { then: Status.AGAIN }) },
      out: {
        kind: "reaction" as const,
        make: out,
        from: ["in"],
        onFailure: "dead_letter" as const,
      },
    });
    await withPipeline(parts(picky(new Set(["2"]))), { folder }, async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 4);
      harness.store((store) => store.requestReplay({}));
    });
    const out = keep();
    await withPipeline(
      { ...parts(out), in: { kind: "source", make: list([], { then: Status.AGAIN }) } },
      { folder },
      async (harness) => {
        await harness.until(() => letters(harness).length === 0);
        assert.deepEqual(out.items, ["2"]);
      },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("after a crash suspected records are offered alone, and poison is not offered at all", async () => {
  const out = keep();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(12), { then: Status.AGAIN }) },
      out: { kind: "reaction", make: out, from: ["in"], onFailure: "dead_letter" },
    },
    {
      suspects: [
        { component: "out", source: 0, start: 6, end: 7, poison: true },
        { component: "out", source: 0, start: 5, end: 9, poison: false },
      ],
    },
    async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 12);
      assert.deepEqual(out.batches, [
        ["1", "2", "3", "4"],
        ["5"],
        ["7"],
        ["8"],
        ["9", "10", "11", "12"],
      ]);
      assert.deepEqual(letters(harness).map(({ code, sequence }) => [code, sequence]), [[
        "Poison",
        6,
      ]]);
    },
  );
});

Deno.test("after a crash a processor is given suspected records alone, too", async () => {
  const given: string[][] = [];
  const out = keep();
  const pass = map();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(8), { then: Status.AGAIN }) },
      middle: {
        kind: "processor",
        from: ["in"],
        onFailure: "dead_letter",
        make: {
          process(batch) {
            given.push(texts(batch));
            return pass.process!(batch);
          },
        },
      },
      out: { kind: "reaction", make: out, from: ["middle"] },
    },
    {
      suspects: [
        { component: "middle", source: 0, start: 3, end: 4, poison: true },
        { component: "middle", source: 0, start: 2, end: 6, poison: false },
      ],
    },
    async (harness) => {
      await harness.until(() => harness.checkpoint()[0] === 8);
      assert.deepEqual(given, [["1"], ["2"], ["4"], ["5"], ["6", "7", "8"]]);
      assert.deepEqual(out.items, ["1", "2", "4", "5", "6", "7", "8"]);
    },
  );
});

Deno.test("dead letters that cannot be read do not stop the pipeline", async () => {
  const out = keep();
  await withPipeline(
    {
      in: { kind: "source", make: list(numbered(8), { then: Status.AGAIN, perPoll: 1 }) },
      out: { kind: "reaction", make: out, from: ["in"] },
    },
    {},
    async (harness) => {
      await harness.until(() => out.items.length > 0);
      {
        using other = new DatabaseSync(harness.storePath);
        other.exec("DROP TABLE letters");
      }
      harness.pipeline.replayLetters();
      await harness.until(() => harness.checkpoint()[0] === 8);
      const [entry] = harness.logs.filter(({ message }) => /offer dead letters/.test(message));
      assert.match(
        String(entry!.fields.error),
        /Cannot read dead letters from ".*pipeline\.db": no/,
      );
      assert.deepEqual(harness.failures, []);
    },
  );
});
