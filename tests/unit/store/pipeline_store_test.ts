import assert from "node:assert/strict";
import { PipelineStore, type Round } from "../../../src/store/pipeline_store.ts";
import { bytes, letter, row, withPath } from "./support.ts";

const NOTHING: Round = { marks: [], states: [], deadLetters: [] };

Deno.test("open() makes a file that only its owner reads", async () => {
  await withPath((path) => {
    const store = PipelineStore.open(path);
    assert.deepEqual(store.checkpoint(), { marks: [], states: [] });
    for (const suffix of ["", "-wal", "-shm"]) {
      assert.equal(Deno.statSync(path + suffix).mode! & 0o777, 0o600, suffix);
    }
    store.close();
    store.close();
  });
});

Deno.test("commit() replaces marks and states of the same source and component, and they outlive closing", async () => {
  await withPath((path) => {
    const first = PipelineStore.open(path);
    const positions = [bytes("one"), new Uint8Array(65_536).fill(7), new Uint8Array()];
    first.commit({
      ...NOTHING,
      marks: [
        { source: "a", sequence: 1, position: positions[0]! },
        { source: "b", sequence: 2, position: positions[0]! },
      ],
      states: [{ component: "count", version: 1, data: bytes("old") }],
    });
    first.commit({
      ...NOTHING,
      marks: [
        { source: "a", sequence: Number.MAX_SAFE_INTEGER, position: positions[1]! },
        { source: "c", sequence: 0, position: positions[2]! },
      ],
      states: [{ component: "count", version: 2 ** 32 - 1, data: new Uint8Array(3_000_000) }],
    });
    first.close();
    const second = PipelineStore.open(path);
    const { marks, states } = second.checkpoint();
    assert.deepEqual(marks.sort((a, b) => a.source < b.source ? -1 : 1), [
      { source: "a", sequence: Number.MAX_SAFE_INTEGER, position: positions[1] },
      { source: "b", sequence: 2, position: positions[0] },
      { source: "c", sequence: 0, position: positions[2] },
    ]);
    assert.deepEqual(states.map(({ version, data }) => [version, data.length]), [
      [2 ** 32 - 1, 3_000_000],
    ]);
    assert.deepEqual(second.integrity(), []);
    second.close();
  });
});

Deno.test("commit() stores all of a round or nothing", async () => {
  await withPath((path) => {
    const store = PipelineStore.open(path);
    store.appendRows([row(1, 5)]);
    const mark = { source: "access", position: bytes("p") };
    for (const sequence of [2 ** 53, -1, 1.5, NaN]) {
      assert.throws(() =>
        store.commit({
          marks: [{ ...mark, sequence: 5 }],
          states: [{ component: "count", version: 1, data: bytes("s") }],
          deadLetters: [letter(), letter({ sequence })],
          buffered: [{ source: "access", upTo: 5 }],
        }), /Cannot store sequence .*: it is not between 0 and 2\^53/);
    }
    assert.deepEqual(store.checkpoint(), { marks: [], states: [] });
    assert.equal(store.letterCount(), 0);
    assert.deepEqual(store.bufferUsage("access"), { rows: 1, events: 5, bytes: 20 });
    store.commit({ ...NOTHING, marks: [{ ...mark, sequence: 5 }] });
    assert.equal(store.checkpoint().marks[0]!.sequence, 5);
    store.close();
  });
});

Deno.test("retain() removes marks and states of what is gone, but neither letters nor buffered events", async () => {
  await withPath((path) => {
    const store = PipelineStore.open(path);
    store.commit({
      marks: ["a", "b"].map((source) => ({ source, sequence: 1, position: bytes("p") })),
      states: ["x", "y"].map((component) => ({ component, version: 1, data: bytes("s") })),
      deadLetters: [letter({ source: "b" })],
    });
    store.appendRows([row(2, 3, { source: "b" })]);
    store.retain({ sources: ["a"], components: ["y", "z"] });
    const { marks, states } = store.checkpoint();
    assert.deepEqual(marks.map(({ source }) => source), ["a"]);
    assert.deepEqual(states.map(({ component }) => component), ["y"]);
    assert.equal(store.letterCount({ source: "b" }), 1);
    assert.equal(store.bufferUsage("b").events, 2);
    store.close();
  });
});

Deno.test("commit() gives free space back to the disk after a burst", async () => {
  await withPath((path) => {
    const store = PipelineStore.open(path);
    const data = new Uint8Array(8 * 2 ** 20);
    for (let i = 1; i <= 12; i++) store.appendRows([row(i, i, { data })]);
    store.commit({ ...NOTHING, buffered: [{ source: "access", upTo: 11 }] });
    for (let i = 1; i <= 11; i++) {
      store.appendRows([row(12 + i, 12 + i)]);
      store.commit({ ...NOTHING, buffered: [{ source: "access", upTo: 12 + i }] });
    }
    store.close();
    assert.ok(Deno.statSync(path).size < 72 * 2 ** 20, "at most what may stay free is left");
  });
});
