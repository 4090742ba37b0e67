import assert from "node:assert/strict";
import { close, type Entry, Ledger } from "../../../src/pipeline/ledger.ts";

/** A ledger, and batches in it whose last events are numbered 10, 20, 30 …; their positions say the same. */
class Numbered {
  readonly ledger = new Ledger(0, new Uint8Array(0));
  #last = 0;

  open(withPosition = true): Entry {
    this.#last += 10;
    const words = new Int32Array(16);
    const bytes = new TextEncoder().encode(`p${this.#last}`);
    new Uint8Array(words.buffer).set(bytes);
    return this.ledger.open(this.#last, words, withPosition ? bytes.length : 0);
  }

  get state(): [number, string] {
    return [this.ledger.sequence, new TextDecoder().decode(this.ledger.position)];
  }
}

Deno.test("a ledger moves over batches that finish in order", () => {
  const numbered = new Numbered();
  assert.equal(numbered.ledger.idle, true);
  const [a, b] = [numbered.open(), numbered.open()];
  assert.deepEqual(numbered.state, [0, ""]);
  close(a);
  assert.deepEqual(numbered.state, [10, "p10"]);
  assert.equal(numbered.ledger.idle, false);
  close(b);
  assert.deepEqual(numbered.state, [20, "p20"]);
  assert.equal(numbered.ledger.idle, true);
});

Deno.test("a ledger waits for the first of batches that finish out of order", () => {
  const numbered = new Numbered();
  const [a, b, c, d] = [numbered.open(), numbered.open(), numbered.open(), numbered.open()];
  close(c);
  close(b);
  assert.deepEqual(numbered.state, [0, ""]);
  close(a);
  assert.deepEqual(numbered.state, [30, "p30"]);
  close(d);
  assert.deepEqual(numbered.state, [40, "p40"]);
});

Deno.test("a ledger waits for everything that was derived from a batch", () => {
  const numbered = new Numbered();
  const a = numbered.open();
  a.open += 2;
  close(a);
  close(a);
  assert.deepEqual(numbered.state, [0, ""]);
  close(a);
  assert.deepEqual(numbered.state, [10, "p10"]);
});

Deno.test("a batch without a position resumes where the one before it does", () => {
  const numbered = new Numbered();
  const [a, b, c] = [numbered.open(), numbered.open(false), numbered.open(false)];
  close(a);
  close(b);
  assert.deepEqual(numbered.state, [20, "p10"]);
  close(c);
  assert.deepEqual(numbered.state, [30, "p10"]);
  const resumed = new Ledger(7, new TextEncoder().encode("there"));
  const entry = resumed.open(8, new Int32Array(0), 0);
  close(entry);
  assert.equal(resumed.sequence, 8);
  assert.equal(new TextDecoder().decode(resumed.position), "there");
});

Deno.test("a ledger keeps positions of any length", () => {
  const ledger = new Ledger(0, new Uint8Array(0));
  for (const length of [1, 63, 64, 65, 65536, 3]) {
    const words = new Int32Array((length + 3) >> 2);
    const bytes = new Uint8Array(words.buffer, 0, length).map((_, i) => i % 251);
    new Uint8Array(words.buffer).set(bytes);
    close(ledger.open(ledger.sequence + 1, words, length));
    assert.deepEqual(ledger.position, bytes);
  }
});

Deno.test("acknowledged is what acknowledge() was told, and at first where the source resumed", () => {
  const ledger = new Ledger(5, new Uint8Array(0));
  assert.deepEqual([ledger.sequence, ledger.acknowledged], [5, 5]);
  ledger.acknowledge(9);
  assert.equal(ledger.acknowledged, 9);
});

Deno.test("a ledger is right whatever the order is, for many batches at once", () => {
  let state = 99;
  const random = (n: number) => {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    return (state >>> 8) % n;
  };
  const numbered = new Numbered();
  let next = 1;
  const open = new Map<number, Entry>();
  for (let i = 0; i < 5000; i++) {
    if (open.size < 40 && random(2) === 0) open.set(next++, numbered.open());
    else if (open.size > 0) {
      const number = [...open.keys()][random(open.size)]!;
      close(open.get(number)!);
      open.delete(number);
    }
    const first = Math.min(next, ...open.keys());
    const accepted = (first - 1) * 10;
    assert.deepEqual(numbered.state, [accepted, accepted === 0 ? "" : `p${accepted}`]);
    assert.equal(numbered.ledger.idle, open.size === 0);
  }
});
