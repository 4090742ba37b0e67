import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { BufferReading } from "../../../ffi/flight_recorder.ts";
import type { BufferSettings } from "../../../src/config/resolved.ts";
import { DiskBuffer } from "../../../src/pipeline/disk_buffer.ts";
import { StoreError } from "../../../src/store/errors.ts";
import { type BufferRow, PipelineStore } from "../../../src/store/pipeline_store.ts";

interface Opened {
  buffer: DiskBuffer;
  store: PipelineStore;
  reading: () => BufferReading;
  lost: [what: string, events: number][];
}

async function withBuffer(
  settings: Partial<BufferSettings>,
  body: (opened: Opened) => void,
  options: { maxPages?: number; before?: (store: PipelineStore, path: string) => void } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "pipeline.db");
  const { maxPages, before } = options;
  const store = PipelineStore.open(path, maxPages === undefined ? {} : { maxPages });
  try {
    before?.(store, path);
    let reading: BufferReading = { bytes: -1, events: -1, dropped: -1, corrupt: -1 };
    const lost: Opened["lost"] = [];
    const buffer = new DiskBuffer({
      store,
      source: "in",
      settings: { maxBytes: 2 ** 20, whenFull: "block", ...settings },
      sequence: 0,
      report: (now) => reading = now,
      lost: (what, events) => lost.push([what, events]),
    });
    body({ buffer, store, reading: () => reading, lost });
  } finally {
    store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Rows of ten events, numbered from `first` on. */
function rows(first: number, count: number, bytes = 1000): BufferRow[] {
  return Array.from({ length: count }, (_, i) => ({
    source: "in",
    firstSequence: (first + i - 1) * 10 + 1,
    lastSequence: (first + i) * 10,
    count: 10,
    data: new Uint8Array(bytes),
    position: new Uint8Array([first + i]),
  }));
}

/** The last sequences of all rows that are left to read. */
function readAll(buffer: DiskBuffer): number[] {
  const found: number[] = [];
  for (let row = buffer.next(); row !== null; row = buffer.next()) found.push(row.lastSequence);
  assert.ok(buffer.drained);
  return found;
}

Deno.test("rows are read once and in order, and what is at hand need not be", () =>
  withBuffer({}, ({ buffer, reading }) => {
    assert.ok(buffer.drained);
    assert.deepEqual(buffer.append(rows(1, 3)), { kept: 3, refused: 0 });
    assert.deepEqual([buffer.last, [...buffer.position!], buffer.drained], [30, [3], false]);
    buffer.skip(10);
    assert.deepEqual(readAll(buffer), [20, 30]);
    assert.deepEqual(reading(), { bytes: 3003, events: 30, dropped: 0, corrupt: 0 });
  }));

Deno.test("one that is opened again goes on where the rows end", () =>
  withBuffer({}, ({ buffer, reading }) => {
    assert.deepEqual([buffer.last, [...buffer.position!]], [40, [4]]);
    assert.deepEqual(readAll(buffer), [10, 20, 30, 40]);
    assert.equal(reading().events, 40);
  }, { before: (store) => store.appendRows(rows(1, 4)) }));

Deno.test("rows that are damaged are passed over and their events counted, wherever they are", () =>
  withBuffer({}, ({ buffer, reading, lost }) => {
    assert.equal(buffer.last, 50, "the last row is gone as well");
    assert.deepEqual(readAll(buffer), [20, 30, 50]);
    assert.deepEqual(lost, [["corrupt", 10], ["corrupt", 10], ["corrupt", 10]]);
    assert.deepEqual([reading().corrupt, reading().events], [30, 30]);
  }, {
    before(store, path) {
      store.appendRows(rows(1, 6));
      const database = new DatabaseSync(path);
      database.exec("UPDATE buffer SET position = x'ff' WHERE last_sequence IN (10, 60)");
      database.exec("UPDATE buffer SET count = 10, data = x'00' WHERE last_sequence = 40");
      database.close();
    },
  }));

Deno.test("block leaves for later what has no room, and takes what could never have any", () =>
  withBuffer({ maxBytes: 2500 }, ({ buffer, store, lost }) => {
    assert.equal(buffer.hasRoom(0, 5000), true, "while it is empty");
    assert.deepEqual(buffer.append(rows(1, 3)), { kept: 2, refused: 0 });
    assert.deepEqual([buffer.hasRoom(0, 498), buffer.hasRoom(0, 499)], [true, false]);
    assert.deepEqual(buffer.append(rows(3, 1)), { kept: 0, refused: 0 });
    assert.deepEqual(buffer.append(rows(3, 1), { force: true }), { kept: 1, refused: 0 });
    store.commit({
      marks: [],
      states: [],
      deadLetters: [],
      buffered: [{ source: "in", upTo: 30 }],
    });
    buffer.refresh();
    assert.deepEqual(buffer.append(rows(4, 1, 9000)), { kept: 1, refused: 0 });
    assert.deepEqual(lost, []);
  }));

Deno.test("drop_oldest never gives up what was read", () =>
  withBuffer({ maxBytes: 3100, whenFull: "drop_oldest" }, ({ buffer, lost, reading }) => {
    buffer.append(rows(1, 3));
    assert.equal(buffer.next()!.lastSequence, 10);
    assert.deepEqual(buffer.append(rows(4, 1)), { kept: 1, refused: 0 });
    assert.deepEqual(lost, [["dropped", 10]]);
    assert.equal(buffer.next()!.lastSequence, 30, "20 made room");
    assert.equal(buffer.next()!.lastSequence, 40);
    assert.deepEqual(buffer.append(rows(5, 1)), { kept: 0, refused: 0 }, "it waits");
    assert.deepEqual([reading().events, reading().dropped], [30, 10]);
  }));

Deno.test("reject gives up what has no room", () =>
  withBuffer({ maxBytes: 2100, whenFull: "reject" }, ({ buffer, lost, reading }) => {
    assert.deepEqual(buffer.append(rows(1, 5)), { kept: 2, refused: 3 });
    assert.deepEqual(lost, [["dropped", 30]]);
    assert.deepEqual([buffer.last, reading().events, reading().dropped], [20, 20, 30]);
  }));

Deno.test("a full disk is a full buffer: block waits, reject and drop_oldest give up", async () => {
  const fill = ({ buffer }: Opened): number => {
    for (let n = 1; n < 1000; n++) {
      const { kept } = buffer.append(rows(n, 1, 50_000));
      if (kept === 0) return n;
    }
    throw new Error("The disk never gets full");
  };
  const maxPages = 200;
  const maxBytes = 2 ** 30;
  await withBuffer({ maxBytes }, (opened) => {
    assert.throws(
      () => fill(opened),
      (error) => error instanceof StoreError && error.code === "Full",
    );
    const { buffer } = opened;
    assert.deepEqual(readAll(buffer).at(-1), buffer.last, "what was kept is there");
  }, { maxPages });
  await withBuffer({ maxBytes, whenFull: "reject" }, (opened) => {
    const n = fill(opened);
    assert.deepEqual(opened.lost, [["dropped", 10]]);
    assert.equal(readAll(opened.buffer).length, n - 1);
  }, { maxPages });
  await withBuffer({ maxBytes, whenFull: "drop_oldest" }, (opened) => {
    const n = fill(opened);
    assert.deepEqual(
      opened.buffer.append(rows(n, 1, 50_000)),
      { kept: 1, refused: 0 },
      "now it fits",
    );
    const left = readAll(opened.buffer);
    assert.deepEqual([left[0], left.at(-1)], [20, n * 10]);
  }, { maxPages });
});
