import assert from "node:assert/strict";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";
import { row, withPath } from "./support.ts";

async function withStore(test: (store: PipelineStore) => void): Promise<void> {
  await withPath((path) => {
    const store = PipelineStore.open(path);
    try {
      test(store);
    } finally {
      store.close();
    }
  });
}

Deno.test("nextRow() gives a source's rows in order, whole, until there are no more", async () => {
  await withStore((store) => {
    const large = row(4, 4, {
      data: new Uint8Array(2 ** 21).fill(3),
      position: new Uint8Array(65_536),
    });
    const last = row(5, Number.MAX_SAFE_INTEGER, { count: 9 });
    store.appendRows([row(1, 3), large, last, row(1, 1, { source: "other" })]);
    assert.deepEqual(store.nextRow("access", 0), { row: row(1, 3), corrupt: 0, corruptEvents: 0 });
    assert.deepEqual(store.nextRow("access", 3).row, large);
    assert.deepEqual(store.nextRow("access", 4).row, last);
    assert.equal(store.nextRow("access", Number.MAX_SAFE_INTEGER).row, null);
    assert.deepEqual(store.lastRow("access").row, last);
    assert.equal(store.lastRow("none").row, null);
  });
});

Deno.test("appendRows() appends all rows or none", async () => {
  await withStore((store) => {
    store.appendRows([row(1, 3)]);
    assert.throws(() => store.appendRows([row(4, 6), row(7, 2 ** 53)]), RangeError);
    assert.deepEqual(store.bufferUsage("access"), { rows: 1, events: 3, bytes: 20 });
  });
});

Deno.test("commit() removes the rows that end at the mark or before it, of that source only", async () => {
  await withStore((store) => {
    store.appendRows([row(1, 3), row(4, 6), row(7, 9), row(1, 3, { source: "other" })]);
    const nothing = { marks: [], states: [], deadLetters: [] };
    store.commit({ ...nothing, buffered: [{ source: "access", upTo: 8 }] });
    assert.deepEqual(store.nextRow("access", 0).row, row(7, 9));
    assert.equal(store.bufferUsage("access").rows, 1);
    assert.equal(store.bufferBytes("other"), 20);
  });
});

Deno.test("dropOldestRows() drops whole rows, but none from before the given sequence", async () => {
  await withStore((store) => {
    store.appendRows([row(1, 2), row(3, 3), row(4, 6), row(7, 9)]);
    const each = store.bufferBytes("access") / 4;
    assert.deepEqual(store.dropOldestRows("access", each + 1, 2), {
      rows: 2,
      events: 4,
      bytes: 2 * each,
    });
    assert.deepEqual(store.nextRow("access", 0).row, row(1, 2));
    assert.deepEqual(store.nextRow("access", 2).row, row(7, 9));
    assert.equal(store.dropOldestRows("access", Infinity, 10).rows, 0);
    assert.equal(store.dropOldestRows("access", Infinity, 0).rows, 2);
    assert.deepEqual(store.bufferUsage("access"), { rows: 0, events: 0, bytes: 0 });
  });
});
