import assert from "node:assert/strict";
import { type DeadLetterInit, PipelineStore } from "../../../src/store/pipeline_store.ts";
import { letter, withPath } from "./support.ts";

const ALL = { limit: 1000, offset: 0 };

/** A store with letters, closed at the end. */
async function withLetters(
  letters: DeadLetterInit[],
  test: (store: PipelineStore) => void,
): Promise<void> {
  await withPath((path) => {
    const store = PipelineStore.open(path);
    try {
      store.commit({ marks: [], states: [], deadLetters: letters });
      test(store);
    } finally {
      store.close();
    }
  });
}

function idsOf(store: PipelineStore): number[] {
  return store.letters({}, ALL).map(({ id }) => id);
}

Deno.test("letters() gives every field back as it was", async () => {
  const extremes = [-(2n ** 63n), 2n ** 63n - 1n, 0n];
  const letters = extremes.map((timestamp) =>
    letter({ timestamp, sequence: Number.MAX_SAFE_INTEGER, flags: 2 ** 32 - 1, error: "Nö \n" })
  );
  const before = Date.now();
  await withLetters(letters, (store) => {
    const found = store.letters({}, ALL);
    assert.deepEqual(
      found.map(({ id: _, at: __, replaying: ___, ...rest }) => rest),
      letters,
    );
    assert.ok(found.every(({ at, replaying }) => at >= before && !replaying));
    assert.deepEqual(found.map(({ id }) => id), [1, 2, 3]);
  });
});

Deno.test("letters() filters by each field and by all together, in pages", async () => {
  const letters = [
    letter(),
    letter({ component: "mail" }),
    letter({ code: "Poison" }),
    letter({ source: "other" }),
    letter({ component: "mail", code: "Poison", source: "other" }),
  ];
  await withLetters(letters, (store) => {
    const count = (filter: Parameters<typeof store.letterCount>[0]) => {
      assert.equal(store.letters(filter ?? {}, ALL).length, store.letterCount(filter));
      return store.letterCount(filter);
    };
    const now = Date.now();
    assert.equal(count({}), 5);
    assert.equal(count({ component: "mail" }), 2);
    assert.equal(count({ code: "Poison" }), 2);
    assert.equal(count({ source: "other" }), 2);
    assert.equal(count({ ids: [1, 5, 99] }), 2);
    assert.equal(count({ ids: [] }), 0);
    assert.equal(count({ before: now + 1000 }), 5);
    assert.equal(count({ before: now - 100_000 }), 0);
    assert.equal(count({ after: now - 100_000 }), 5);
    assert.equal(count({ after: now + 1000 }), 0);
    assert.equal(count({ ids: [4, 5], component: "mail", code: "Poison", source: "other" }), 1);
    const page = store.letters({}, { limit: 2, offset: 3 });
    assert.deepEqual(page.map(({ id }) => id), [4, 5]);
  });
});

Deno.test("a replayed letter is removed once delivered, and waits no longer once it failed again", async () => {
  await withLetters([letter(), letter(), letter(), letter()], (store) => {
    assert.equal(store.requestReplay({ ids: [1, 2, 4] }), 3);
    assert.deepEqual(store.replays(10).map(({ id }) => id), [1, 2, 4]);
    assert.deepEqual(store.replays(1, 1).map(({ id }) => id), [2]);
    store.commit({
      marks: [],
      states: [],
      deadLetters: [letter()],
      delivered: [1],
      failedReplays: [{ id: 2, error: "Still \0 full", attempts: 7 }],
    });
    assert.deepEqual(store.replays(10).map(({ id }) => id), [4]);
    const [second] = store.letters({ ids: [2] }, ALL);
    assert.equal(second!.error, "Still \ufffd full");
    assert.equal(second!.attempts, 7);
    assert.equal(second!.replaying, false);
    assert.deepEqual(idsOf(store), [2, 3, 4, 5]);
    assert.deepEqual(store.integrity(), [], "what changes is not under the checksum");
  });
});

Deno.test("the id of a letter that was dropped is not used again", async () => {
  await withLetters([letter(), letter()], (store) => {
    assert.equal(store.dropLetters({ component: "archive" }), 2);
    store.commit({ marks: [], states: [], deadLetters: [letter()], delivered: [1, 2] });
    assert.deepEqual(idsOf(store), [3]);
  });
});

Deno.test("trimLetters() removes the too old, then the oldest until the rest fits", async () => {
  const letters = Array.from({ length: 10 }, () => letter({ payload: new Uint8Array(1000) }));
  await withLetters(letters, (store) => {
    const each = store.letterBytes() / 10;
    assert.ok(each > 1000 && each < 1500);
    const bounds = { maxBytes: Infinity, maxAgeMs: 60_000, now: Date.now() };
    assert.equal(store.trimLetters(bounds), 0);
    assert.equal(store.trimLetters({ ...bounds, now: 0 }), 0, "the clock was set back");
    assert.equal(store.trimLetters({ ...bounds, maxBytes: 6.5 * each }), 4);
    assert.deepEqual(idsOf(store), [5, 6, 7, 8, 9, 10]);
    store.requestReplay({ ids: [6] });
    assert.equal(store.trimLetters({ ...bounds, now: Date.now() + 100_000 }), 5);
    assert.deepEqual(idsOf(store), [6], "one that is to be offered again is kept");
    assert.equal(store.trimLetters({ ...bounds, maxBytes: 0 }), 1);
    assert.equal(store.letterBytes(), 0);
  });
});
