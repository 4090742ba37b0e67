import assert from "node:assert/strict";
import { BatchLayout, POSITION_MAX } from "../../../ffi/layout.ts";
import { loadShim } from "../../../ffi/shim.ts";
import { Arena } from "../../../src/event/arena.ts";
import { Batch } from "../../../src/event/batch.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { append } from "../../../src/event/writer.ts";

// Once a process: not something that a test leaves behind.
loadShim();
const at = BatchLayout.offset;

function withBatch(body: (batch: Batch, raw: DataView<ArrayBuffer>) => void): void {
  const batch = new Batch({ bytes: 4096, limit: 100, withPosition: true });
  const raw = new DataView(Deno.UnsafePointerView.getArrayBuffer(batch.pointer, BatchLayout.size));
  try {
    body(batch, raw);
  } finally {
    batch.free();
  }
}

function fill(batch: Batch, count: number): void {
  for (let i = 0; i < count; i++) append(batch, { payload: new Uint8Array([i]) });
}

/** First byte of each payload. */
function payloads(batch: Batch, cursor = 0): number[] {
  const reader = new RecordReader().open(batch, cursor);
  const found: number[] = [];
  while (reader.next()) found.push(reader.payload[0]!);
  assert.equal(reader.malformed, "");
  return found;
}

Deno.test("an arena is aligned to pages, zeroed, and as large as was asked for at least", () => {
  for (const size of [0, 1, 4096, 4097, 1_000_000]) {
    const arena = new Arena(size);
    assert.equal(arena.address % 4096n, 0n);
    assert.ok(arena.size >= size && arena.size % 4096 === 0);
    assert.ok(arena.bytes.every((byte) => byte === 0));
    arena.bytes[arena.size - 1] = 1;
    arena.free();
    assert.equal(arena.bytes.length, 0, "views are detached");
    arena.free();
  }
});

Deno.test("a batch shows native code the arena, its capacity and limit, and where the position goes", () => {
  withBatch((batch, raw) => {
    assert.equal(raw.getUint32(at.size, true), BatchLayout.size);
    assert.equal(raw.getBigUint64(at.capacity, true), BigInt(batch.capacity));
    assert.equal(raw.getUint32(at.limit, true), 100);
    assert.equal(raw.getUint32(at.position_capacity, true), POSITION_MAX);
    assert.equal(raw.getBigUint64(at.data, true) % 64n, 0n);
    assert.notEqual(raw.getBigUint64(at.position, true), 0n);
    assert.equal(raw.getBigUint64(at.loan, true), 0n);
    batch.nextSequence = 2 ** 40 + 5;
    assert.equal(raw.getBigUint64(at.next_sequence, true), 2n ** 40n + 5n);
    batch.setPosition(new Uint8Array([1, 2, 3]));
    assert.equal(raw.getUint32(at.position_length, true), 3);
    assert.deepEqual([...batch.positionBuffer.subarray(0, batch.positionLength)], [1, 2, 3]);
    assert.throws(() => batch.setPosition(new Uint8Array(POSITION_MAX + 1)), RangeError);
  });
});

Deno.test("reset() empties a batch; rewind() only makes it readable from the start", () => {
  withBatch((batch) => {
    fill(batch, 3);
    batch.done = 2;
    batch.cursor = 48;
    batch.rewind();
    assert.deepEqual([batch.done, batch.cursor, batch.count], [0, 0, 3]);
    batch.required = 9;
    batch.flags = 1;
    batch.setPosition(new Uint8Array(4));
    batch.reset();
    assert.deepEqual(
      [batch.count, batch.length, batch.required, batch.flags, batch.positionLength],
      [0, 0, 0, 0, 0],
    );
  });
});

Deno.test("resize() gives an empty batch a larger arena", () => {
  withBatch((batch, raw) => {
    assert.equal(append(batch, { payload: new Uint8Array(10_000) }), false);
    batch.resize(batch.required);
    batch.required = 0;
    assert.ok(append(batch, { payload: new Uint8Array(10_000) }));
    assert.ok(batch.capacity >= 10_000);
    assert.equal(raw.getBigUint64(at.capacity, true), BigInt(batch.capacity));
  });
});

Deno.test("a window shows the last records of a batch, with a `done` and a cursor of its own", () => {
  withBatch((batch) => {
    fill(batch, 5);
    const window = new Batch({ bytes: 0, limit: 0 });
    try {
      const one = batch.length / 5;
      window.showPartOf(batch, { offset: 2 * one, end: batch.length, count: 3 });
      assert.deepEqual(payloads(window), [2, 3, 4]);
      assert.deepEqual([window.count, window.length, window.capacity], [3, 3 * one, 0]);
      window.done = 1;
      window.cursor = one;
      assert.deepEqual([batch.done, batch.cursor], [0, 0]);
      assert.deepEqual(payloads(window, window.cursor), [3, 4]);
      window.skip(one, 2);
      assert.deepEqual(payloads(window), [3, 4]);
      assert.deepEqual([window.count, window.done, window.cursor], [2, 0, 0]);
      window.skip(one, 1);
      assert.deepEqual(payloads(window), [4]);
    } finally {
      window.free();
    }
    assert.deepEqual(payloads(batch), [0, 1, 2, 3, 4]);
  });
});

Deno.test("a window on a window shows the records of the batch below", () => {
  withBatch((batch) => {
    fill(batch, 4);
    const outer = new Batch({ bytes: 0, limit: 0 });
    const inner = new Batch({ bytes: 0, limit: 0 });
    const one = batch.length / 4;
    outer.showPartOf(batch, { offset: one, end: batch.length, count: 3 });
    inner.showPartOf(outer, { offset: one, end: outer.length, count: 2 });
    assert.deepEqual(payloads(inner), [2, 3]);
    inner.free();
    outer.free();
  });
});

Deno.test("memory that a source lent is read in place, and given up by reset()", () => {
  const own = new Batch({ bytes: 4096, limit: 10 });
  withBatch((batch, raw) => {
    fill(own, 3);
    // As busbar_lend() and busbar_append() do it.
    const ownRaw = new DataView(
      Deno.UnsafePointerView.getArrayBuffer(own.pointer, BatchLayout.size),
    );
    raw.setBigUint64(at.data, ownRaw.getBigUint64(at.data, true), true);
    raw.setBigUint64(at.loan, 0x1234_5678_9abc_def0n, true);
    batch.length = own.length;
    batch.count = 3;
    batch.showLoan();
    assert.equal(batch.lent, true);
    assert.equal(batch.loan, 0x1234_5678_9abc_def0n);
    assert.deepEqual(payloads(batch), [0, 1, 2]);
    assert.equal(batch.bytes.length, own.length, "no more of it than the records");
    const lentBytes = batch.bytes;
    const window = new Batch({ bytes: 0, limit: 0 });
    window.showPartOf(batch, { offset: own.length / 3, end: own.length, count: 2 });
    assert.deepEqual(payloads(window), [1, 2]);
    assert.equal(window.lent, false, "one loan, one owner");
    window.free();
    batch.reset();
    assert.equal(batch.lent, false);
    assert.equal(lentBytes.length, 0, "views on it are revoked");
    fill(batch, 2);
    assert.deepEqual(payloads(batch), [0, 1]);
  });
  own.free();
});

Deno.test("fault() says why what was left behind cannot be a batch", () => {
  const faults: [RegExp, (raw: DataView) => void][] = [
    [/length is more than 2 GiB/, (raw) => raw.setUint32(at.length + 4, 1, true)],
    [/length is more than 2 GiB/, (raw) => raw.setUint32(at.length, 0x80000008, true)],
    [/length is 4104 bytes, but its capacity 4096/, (raw) => raw.setUint32(at.length, 4104, true)],
    [/hold 100 records in 120 bytes/, (raw) => raw.setUint32(at.count, 100, true)],
    [/hold 4294967295 records/, (raw) => raw.setUint32(at.count, 0xffffffff, true)],
    [/hold no records in 120 bytes/, (raw) => raw.setUint32(at.count, 0, true)],
    [/124 bytes is not a multiple of 8/, (raw) => raw.setUint32(at.length, 124, true)],
  ];
  for (const [message, spoil] of faults) {
    withBatch((batch, raw) => {
      for (let i = 0; i < 3; i++) append(batch, { payload: new Uint8Array(0) });
      assert.equal(batch.fault(), "");
      spoil(raw);
      assert.match(batch.fault(), message);
      assert.equal(batch.isPlainAndFull, false);
    });
  }
});

Deno.test("isPlainAndFull is for batches that hold as many records as are allowed, and nothing uncommon", () => {
  const batch = new Batch({ bytes: 4096, limit: 3 });
  fill(batch, 2);
  assert.equal(batch.isPlainAndFull, false);
  fill(batch, 1);
  assert.equal(batch.isPlainAndFull, true);
  batch.required = 8;
  assert.equal(batch.isPlainAndFull, false);
  batch.free();
});
