import assert from "node:assert/strict";
import { RecordFlag } from "../../../ffi/layout.ts";
import { LineCutter } from "../../../src/component/builtin/line_cutter.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { withBatch } from "./support.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Line {
  text: string;
  cut: boolean;
}

function take(batch: Batch, lines: Line[]): void {
  const reader = new RecordReader().open(batch);
  while (reader.next()) {
    const cut = (reader.flags & RecordFlag.TRUNCATED) !== 0;
    lines.push({ text: decoder.decode(reader.payload), cut });
  }
  assert.equal(reader.malformed, "");
  batch.reset();
}

/** What comes of `text` in pieces of the lengths that `next` gives, through batches of `limit` events. */
async function cutInPieces(
  text: string,
  options: { next: () => number; limit: number; maxLine: number; skipEmpty?: boolean },
): Promise<Line[]> {
  const { next, limit, maxLine, skipEmpty = false } = options;
  const bytes = encoder.encode(text);
  const cutter = new LineCutter({ maxLine, skipEmpty, event: { payload: bytes } });
  const lines: Line[] = [];
  await withBatch({ limit, bytes: 8192 }, (batch) => {
    const drain = () => {
      while (!cutter.cut(batch)) take(batch, lines);
    };
    for (let at = 0; at < bytes.length;) {
      const room = cutter.room({ least: 1 });
      if (room === undefined) {
        drain();
        continue;
      }
      const length = Math.min(next(), room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + length));
      cutter.added(length);
      at += length;
      if (next() % 2 === 0) drain();
    }
    drain();
    while (!cutter.cutLast(batch)) take(batch, lines);
    take(batch, lines);
    assert.equal(cutter.passed, bytes.length);
  });
  assert.equal(cutter.truncated, lines.filter(({ cut }) => cut).length);
  return lines;
}

/** The same from the whole text. */
function expected(text: string, maxLine: number, skipEmpty = false): Line[] {
  const lines = text.split("\n");
  const last = lines.pop()!;
  return [...lines.map((line) => line.replace(/\r$/, "")), ...last === "" ? [] : [last]]
    .filter((line) => line !== "" || !skipEmpty)
    .map((line) => ({ text: line.slice(0, maxLine), cut: line.length > maxLine }));
}

Deno.test("lines come out whole whatever pieces they come in, and long ones are cut and flagged", async () => {
  let state = 7;
  const random = (most: number) => {
    state = Math.imul(state, 1103515245) + 12345 >>> 0;
    return (state >>> 8) % most;
  };
  for (let round = 0; round < 200; round++) {
    const maxLine = 1 + random(60);
    const text = Array.from(
      { length: random(400) },
      () => ["a", "b", "xyz", "\n", "\r\n", "\r", "words and more words"][random(7)]!,
    ).join("");
    const limit = 1 + random(9);
    const skipEmpty = random(2) === 0;
    const next = () => 1 + random(1 + round);
    assert.deepEqual(
      await cutInPieces(text, { next, limit, maxLine, skipEmpty }),
      expected(text, maxLine, skipEmpty),
      JSON.stringify({ text, maxLine, round }),
    );
  }
});

Deno.test("lines longer than the first memory come out whole, and much input is taken in pieces", async () => {
  const long = "x".repeat(700_000);
  const text = `${long}\n${"short\n".repeat(100_000)}${long}`;
  const bytes = encoder.encode(text);
  const cutter = new LineCutter({ maxLine: 2 ** 20, skipEmpty: false, event: { payload: bytes } });
  let lines = 0;
  await withBatch({ limit: 1000, bytes: 2 ** 20 }, (batch) => {
    for (let at = 0; at < bytes.length;) {
      const room = cutter.room();
      if (room !== undefined) {
        const length = Math.min(100_000, room.length, bytes.length - at);
        room.set(bytes.subarray(at, at + length));
        cutter.added(length);
        at += length;
      }
      cutter.cut(batch);
      lines += batch.count;
      batch.reset();
    }
    while (!cutter.cut(batch) || !cutter.cutLast(batch)) {
      lines += batch.count;
      batch.reset();
    }
    lines += batch.count;
  });
  assert.equal(lines, 100_002);
});

Deno.test("cutAnywhere makes events of all bytes, of at most so many each", async () => {
  const cutter = new LineCutter({
    maxLine: 10,
    skipEmpty: false,
    event: { payload: new Uint8Array() },
  });
  const bytes = encoder.encode("one\ntwo\nthree four five");
  cutter.room()!.set(bytes);
  cutter.added(bytes.length);
  const lines: Line[] = [];
  await withBatch({ limit: 2 }, (batch) => {
    while (!cutter.cutAnywhere(batch, 5)) take(batch, lines);
    take(batch, lines);
  });
  assert.deepEqual(lines.map(({ text }) => text), ["one\nt", "wo\nth", "ree f", "our f", "ive"]);
});
