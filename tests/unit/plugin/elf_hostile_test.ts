import { memorySource } from "../../../src/plugin/byte_source.ts";
import { readFacts } from "../../../src/plugin/elf.ts";
import { ElfImage } from "../../../src/plugin/elf_image.ts";
import { assertRefused } from "./fixtures.ts";

const DYNAMIC = 0x100;
const STRINGS = 0x1000;
const STRING_BYTES = 0x10000;
const TABLE = STRINGS + STRING_BYTES;

/** A library of `size` bytes, mapped as it is, with one long name, no symbols and the given dynamic entries. */
function library(
  size: number,
  entries: readonly (readonly [tag: number, value: number])[],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x464c457f, true);
  bytes.set([2, 1, 1], 4);
  view.setUint16(16, 3, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const all = [...entries, [5, STRINGS], [10, STRING_BYTES], [0, 0]] as const;
  for (
    const [index, [type, offset, length]] of [[1, 0, size], [2, DYNAMIC, all.length * 16]].entries()
  ) {
    const at = 64 + index * 56;
    view.setUint32(at, type!, true);
    for (const field of [8, 16]) view.setBigUint64(at + field, BigInt(offset!), true);
    for (const field of [32, 40]) view.setBigUint64(at + field, BigInt(length!), true);
  }
  for (const [index, [tag, value]] of all.entries()) {
    view.setBigUint64(DYNAMIC + index * 16, BigInt(tag), true);
    view.setBigUint64(DYNAMIC + index * 16 + 8, BigInt(value), true);
  }
  bytes.fill(0x61, STRINGS, TABLE - 1);
  return bytes;
}

function facts(bytes: Uint8Array<ArrayBuffer>): Promise<unknown> {
  return ElfImage.open(memorySource("hostile.so", bytes)).then(readFacts);
}

// Each of these would keep the reader busy for minutes if it believed the file.

Deno.test("a library whose symbols all bear the same long name is refused", async () => {
  const count = 900_000;
  const symbols = TABLE + 16;
  const bytes = library(symbols + count * 24, [[4, TABLE], [6, symbols]]);
  const view = new DataView(bytes.buffer);
  view.setUint32(TABLE + 4, count, true);
  for (let at = symbols; at < bytes.length; at += 24) bytes[at + 4] = 0x12;
  await assertRefused(facts(bytes), "CorruptLibrary", /names of more than 67108864 bytes/);
});

Deno.test("a library that claims a million symbols and more is refused", async () => {
  const bytes = library(TABLE + 16, [[4, TABLE], [6, TABLE]]);
  new DataView(bytes.buffer).setUint32(TABLE + 4, 1_000_001, true);
  await assertRefused(facts(bytes), "CorruptLibrary", /1000001 dynamic symbols/);
});

Deno.test("a library whose version lists overlap without end is refused", async () => {
  const bytes = library(TABLE + 4_000_000, [[4, TABLE], [6, TABLE], [0x6ffffffe, TABLE + 16], [
    0x6fffffff,
    60_000,
  ]]);
  const view = new DataView(bytes.buffer);
  for (let at = TABLE + 16; at + 16 <= bytes.length; at += 16) {
    view.setUint16(at + 2, 0xffff, true);
    view.setUint32(at + 8, 16, true);
    view.setUint32(at + 12, 16, true);
  }
  await assertRefused(facts(bytes), "CorruptLibrary", /more than 65536 symbol versions/);
});

Deno.test("a library that names thousands of folders to search is refused", async () => {
  const bytes = library(TABLE + 16, [[4, TABLE], [6, TABLE], [29, 0]]);
  for (let at = STRINGS; at < TABLE - 1; at += 2) bytes[at] = 0x3a;
  await assertRefused(facts(bytes), "CorruptLibrary", /a run path of 3\d+ folders/);
});
