import assert from "node:assert/strict";
import { ContentType, Operation, RecordFlag, RecordLayout } from "../../../ffi/layout.ts";
import { loadShim } from "../../../ffi/shim.ts";
import { Batch } from "../../../src/event/batch.ts";
import { indexAt, malformation, offsetOf, RecordReader } from "../../../src/event/reader.ts";
import { append } from "../../../src/event/writer.ts";

// Once a process: not something that a test leaves behind.
loadShim();
const at = RecordLayout.offset;
const encoder = new TextEncoder();

function withBatch(options: { bytes: number; limit: number }, body: (batch: Batch) => void): void {
  const batch = new Batch({ withPosition: true, ...options });
  batch.nextSequence = 1;
  try {
    body(batch);
  } finally {
    batch.free();
  }
}

const small = { bytes: 4096, limit: 100 };

Deno.test("a reader gives back what append() was given, stamped with sequence and source", () => {
  withBatch(small, (batch) => {
    batch.source = 3;
    batch.nextSequence = 2 ** 45;
    const event = {
      payload: encoder.encode("the payload"),
      key: encoder.encode("key"),
      contentType: ContentType.TEXT,
      operation: Operation.UPDATE,
      timestamp: -1_234_567_890_123_456_789n,
      flags: RecordFlag.MARKED,
    };
    assert.ok(append(batch, event));
    assert.ok(append(batch, { payload: new Uint8Array(0) }));
    const reader = new RecordReader().open(batch);
    assert.ok(reader.next());
    assert.deepEqual([reader.index, reader.offset], [0, 0]);
    assert.deepEqual([...reader.payload], [...event.payload]);
    assert.deepEqual([...reader.key], [...event.key]);
    assert.equal(reader.contentType, ContentType.TEXT);
    assert.equal(reader.operation, Operation.UPDATE);
    assert.equal(reader.timestamp, event.timestamp);
    assert.equal(reader.flags, RecordFlag.MARKED);
    assert.equal(reader.source, 3);
    assert.equal(reader.sequence, 2 ** 45);
    assert.deepEqual(reader.attributes(), []);
    assert.ok(reader.next());
    assert.equal(reader.sequence, 2 ** 45 + 1);
    assert.deepEqual([reader.payloadLength, reader.operation, reader.timestamp], [0, 0, 0n]);
    assert.equal(reader.next(), false);
    assert.equal(reader.malformed, "");
    assert.equal(malformation(batch), "");
    assert.equal(batch.nextSequence, 2 ** 45 + 2);
  });
});

Deno.test("append() keeps sequence and source of an origin, and counts nothing on", () => {
  withBatch(small, (batch) => {
    append(batch, { payload: encoder.encode("x") }, { sequence: 77, source: 5 });
    const reader = new RecordReader().open(batch);
    assert.ok(reader.next());
    assert.deepEqual([reader.sequence, reader.source], [77, 5]);
    assert.equal(batch.nextSequence, 1);
  });
});

Deno.test("append() zeroes what an earlier record left in the padding and the header", () => {
  withBatch(small, (batch) => {
    batch.bytes.fill(0xff);
    append(batch, { payload: encoder.encode("x") });
    assert.equal(batch.length, RecordLayout.size + 8);
    assert.deepEqual(
      [...batch.bytes.subarray(RecordLayout.size + 1, batch.length)],
      Array(7).fill(0),
    );
    assert.equal(batch.view.getUint32(at.attributes_length, true), 0);
    assert.equal(batch.view.getUint32(at.flags, true), 0);
  });
});

Deno.test("append() leaves a full batch as it was, whether records or bytes are at their limit", () => {
  withBatch({ bytes: 4096, limit: 2 }, (batch) => {
    const payload = new Uint8Array(8);
    assert.ok(append(batch, { payload }) && append(batch, { payload }));
    assert.equal(append(batch, { payload }), false);
    assert.deepEqual([batch.count, batch.required, batch.nextSequence], [2, 0, 3]);
  });
  withBatch(small, (batch) => {
    assert.ok(append(batch, { payload: new Uint8Array(4000) }));
    const { length } = batch;
    assert.equal(append(batch, { payload: new Uint8Array(100) }), false);
    assert.deepEqual([batch.length, batch.count, batch.required], [length, 1, 0]);
    assert.equal(append(batch, { payload: new Uint8Array(5000) }), false);
    assert.equal(batch.required, 5000 + RecordLayout.size, "an empty arena would be too small");
    assert.ok(append(batch, { payload: new Uint8Array(0) }));
  });
});

Deno.test("attributes() gives name and value pairs, and stops where their lengths do not fit", () => {
  withBatch(small, (batch) => {
    append(batch, { payload: new Uint8Array(64) });
    const { view, bytes } = batch;
    // The payload becomes attributes.
    view.setUint32(at.payload_length, 0, true);
    view.setUint32(at.attributes_length, 24, true);
    const start = RecordLayout.size;
    view.setUint32(start, 4, true);
    view.setUint32(start + 4, 2, true);
    bytes.set(encoder.encode("pathab"), start + 8);
    const reader = new RecordReader().open(batch);
    assert.ok(reader.next());
    // Ten bytes are left for the second pair, whose lengths are zero, then two.
    assert.deepEqual(reader.attributes(), [["path", "ab"], ["", ""]]);
    view.setUint32(start + 4, 0xffffffff, true);
    assert.deepEqual(reader.attributes(), []);
  });
});

Deno.test("a reader stops at a record that does not lie inside, and says why", () => {
  const faults: [string, (view: DataView, second: number) => void][] = [
    ["size 0", (view, second) => view.setUint32(second, 0, true)],
    ["size below the header", (view, second) => view.setUint32(second, 32, true)],
    ["size not a multiple of 8", (view, second) => view.setUint32(second, 49, true)],
    ["size past the end", (view, second) => view.setUint32(second, 4096, true)],
    ["size of 4 GiB", (view, second) => view.setUint32(second, 0xfffffff8, true)],
    ["key too long", (view, second) => view.setUint32(second + at.key_length, 100, true)],
    ["payload too long", (view, second) => view.setUint32(second + at.payload_length, 9, true)],
    ["attributes too long", (view, s) => view.setUint32(s + at.attributes_length, 1, true)],
    ["lengths that overflow 32 bits", (view, second) => {
      view.setUint32(second + at.key_length, 0xffffffff, true);
      view.setUint32(second + at.payload_length, 0xffffffff, true);
      view.setUint32(second + at.attributes_length, 2, true);
    }],
  ];
  for (const [name, spoil] of faults) {
    withBatch(small, (batch) => {
      for (let i = 0; i < 3; i++) append(batch, { payload: new Uint8Array(8) });
      spoil(batch.view, batch.length / 3);
      const reader = new RecordReader().open(batch);
      assert.equal(reader.next(), true);
      assert.equal(reader.next(), false, name);
      assert.equal(reader.index, 0);
      assert.match(reader.malformed, /^record 1 at byte 48 says to be \d+ bytes long/, name);
      assert.equal(malformation(batch), reader.malformed);
    });
  }
});

Deno.test("a reader says how many bytes are left where no record fits any more", () => {
  withBatch(small, (batch) => {
    append(batch, { payload: new Uint8Array(8) });
    batch.length += 16;
    const reader = new RecordReader().open(batch);
    assert.ok(reader.next());
    assert.equal(reader.next(), false);
    assert.equal(reader.malformed, "16 bytes are left behind record 0");
  });
});

Deno.test("malformation() compares the count with the records", () => {
  withBatch(small, (batch) => {
    append(batch, { payload: new Uint8Array(8) });
    append(batch, { payload: new Uint8Array(8) });
    batch.count = 1;
    assert.equal(malformation(batch), "it says to hold 1 records, but 2 lie in it");
  });
});

Deno.test("offsetOf() and indexAt() find records by index and by byte", () => {
  withBatch(small, (batch) => {
    const offsets = [0, 5, 100, 3].map((length) => {
      const { length: offset } = batch;
      append(batch, { payload: new Uint8Array(length) });
      return offset;
    });
    for (const [index, offset] of offsets.entries()) {
      assert.equal(offsetOf(batch, index), offset);
      assert.equal(indexAt(batch, offset), index);
    }
    assert.equal(indexAt(batch, 1), 1);
    assert.equal(offsetOf(batch, 4), batch.length);
    assert.throws(() => offsetOf(batch, 5), RangeError);
  });
});

Deno.test("a reader never leaves the batch, whatever lies in it", () => {
  let state = 4711;
  const random = (n: number) => {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    return (state >>> 8) % n;
  };
  withBatch(small, (batch) => {
    for (let round = 0; round < 3000; round++) {
      batch.reset();
      while (random(10) > 0 && append(batch, { payload: new Uint8Array(random(60)) }));
      for (let hits = random(6); hits > 0 && batch.length > 0; hits--) {
        const word = random(batch.length / 4) * 4;
        batch.view.setUint32(word, random(3) === 0 ? state : random(200), true);
      }
      if (random(4) === 0) batch.length = random(batch.capacity / 8) * 8;
      const reader = new RecordReader().open(batch);
      let records = 0;
      while (reader.next()) {
        records++;
        assert.ok(reader.end <= batch.length && reader.end > reader.offset);
        assert.ok(reader.payload.byteOffset + reader.payload.length <= reader.end);
        assert.ok(reader.key.length + reader.payload.length <= reader.end - reader.offset);
        for (const [name, value] of reader.attributes()) assert.ok(name + value !== undefined);
      }
      assert.ok(records <= batch.length / RecordLayout.size);
      assert.equal(reader.malformed === "", reader.end === batch.length);
    }
  });
});
