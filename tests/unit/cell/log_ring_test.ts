import assert from "node:assert/strict";
import {
  LOG_SLOTS,
  RecorderHeaderLayout,
  RecorderLogLayout,
} from "../../../ffi/recorder_layout.ts";
import { createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import { LogRing, type PluginLog } from "../../../src/cell/log_ring.ts";

const PLAN = planRecorder(2, 0);
const SLOT = RecorderLogLayout.offset;

// Once here, so that no test is taken for the one that left the C library open.
createRecorder(planRecorder(0, 0)).close();

/** The producers' side of the ring, as the shim has it. */
class Producer {
  #ticket = 0;
  constructor(readonly buffer: ArrayBuffer) {}

  get free(): boolean {
    return this.#turn[0] === BigInt(this.#ticket - this.#ticket % LOG_SLOTS);
  }

  /** Claims a slot and never fills it. */
  claim(): void {
    this.#ticket++;
  }

  publish(text: string, fields: [name: string, value: string, type: number][] = []): void {
    const at = this.#at;
    const view = new DataView(this.buffer);
    const encode = (part: string) => new TextEncoder().encode(part);
    const parts = [encode("a.target"), encode(text)];
    for (const [name, value, type] of fields) {
      const sizes = new Uint32Array([encode(name).length, encode(value).length, type]);
      parts.push(new Uint8Array(sizes.buffer), encode(name), encode(value));
    }
    let to = at + SLOT.data;
    for (const part of parts) {
      new Uint8Array(this.buffer, to, part.length).set(part);
      to += part.length;
    }
    view.setBigInt64(at + SLOT.timestamp, 1_700_000_000_000_000_001n, true);
    view.setBigUint64(at + SLOT.span_id, 7n, true);
    view.setBigUint64(at + SLOT.parent_span_id, 0xffff_ffff_ffff_ffffn, true);
    view.setInt32(at + SLOT.level, 4, true);
    view.setUint32(at + SLOT.component, 2, true);
    view.setUint32(at + SLOT.target_length, 8, true);
    view.setUint32(at + SLOT.message_length, parts[1]!.length, true);
    view.setUint32(at + SLOT.field_count, fields.length, true);
    view.setUint32(at + SLOT.thread, 4411, true);
    this.#turn[0] = BigInt(this.#ticket - this.#ticket % LOG_SLOTS) + 1n;
    this.#ticket++;
  }

  get #at(): number {
    return PLAN.logAt + this.#ticket % LOG_SLOTS * RecorderLogLayout.size;
  }

  get #turn(): BigUint64Array {
    return new BigUint64Array(this.buffer, this.#at, 1);
  }
}

function withRing(test: (ring: LogRing, producer: Producer) => void): void {
  const file = createRecorder(PLAN);
  try {
    test(new LogRing(file.buffer, PLAN), new Producer(file.buffer));
  } finally {
    file.close();
  }
}

const texts = (records: PluginLog[]) => records.map(({ message }) => message);

Deno.test("drain() gives a record with all that its plugin said, values in their types", () => {
  withRing((ring, producer) => {
    producer.publish("häppened", [
      ["text", "a\u0000b", 0],
      ["number", "1.5e3", 1],
      ["bool", "true", 2],
      ["json", '{"a":[1]}', 3],
      ["not a number", "NaN", 1],
      ["__proto__", "x", 0],
    ]);
    const [record, ...others] = ring.drain();
    assert.deepEqual(others, []);
    assert.deepEqual(record, {
      timestamp: 1_700_000_000_000_000_001n,
      level: 4,
      component: 1,
      target: "a.target",
      message: "häppened",
      fields: Object.fromEntries([
        ["text", "a\u0000b"],
        ["number", 1500],
        ["bool", true],
        ["json", { a: [1] }],
        ["not a number", "NaN"],
        ["__proto__", "x"],
      ]),
      spanId: 7n,
      parentSpanId: 0xffff_ffff_ffff_ffffn,
      thread: 4411,
      truncated: false,
    });
  });
});

Deno.test("drain() frees slots for producers, lap after lap, in order", () => {
  withRing((ring, producer) => {
    let written = 0;
    let read = 0;
    for (let round = 0; round < 10; round++) {
      while (producer.free && written < (round + 1) * 300) producer.publish(`${written++}`);
      for (const text of texts(ring.drain())) assert.equal(text, `${read++}`);
    }
    assert.equal(read, 3000);
    while (producer.free) producer.publish("full");
    assert.equal(ring.drain().length, LOG_SLOTS);
  });
});

Deno.test("drain() waits for a record that is still being written; drainDead() passes over it", () => {
  withRing((ring, producer) => {
    producer.publish("before");
    producer.claim();
    producer.publish("after");
    assert.deepEqual(texts(ring.drain()), ["before"]);
    assert.deepEqual(texts(ring.drain()), []);
    assert.deepEqual(texts(ring.drainDead()), ["after"]);
    assert.deepEqual(texts(ring.drainDead()), []);
  });
});

Deno.test("drain() notes how far it is, for whoever looks at the recorder", () => {
  withRing((ring, producer) => {
    producer.publish("one");
    ring.drain();
    const tail = RecorderHeaderLayout.offset.log_tail;
    assert.equal(new DataView(producer.buffer).getBigUint64(tail, true), 1n);
  });
});
