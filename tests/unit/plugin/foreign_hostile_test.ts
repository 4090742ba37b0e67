import { memorySource } from "../../../src/plugin/byte_source.ts";
import { readExportTrie } from "../../../src/plugin/mach_o_trie.ts";
import { openBinary } from "../../../src/plugin/open_binary.ts";
import { assertRefused } from "./fixtures.ts";

// Each of these would keep the reader busy for minutes, or fill the memory, if it believed the file.

const SECTION = 1024;

/** A Windows library with one section of `size` bytes, mapped at the offset it lies at, and the given directories. */
function dll(size: number, directories: Record<number, number>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SECTION + size);
  const view = new DataView(bytes.buffer);
  bytes.set([0x4d, 0x5a]);
  view.setUint32(60, 64, true);
  view.setUint32(64, 0x4550, true);
  view.setUint16(68, 0x8664, true);
  view.setUint16(70, 1, true);
  view.setUint16(84, 240, true);
  view.setUint16(86, 0x2000, true);
  view.setUint16(88, 0x20b, true);
  view.setUint32(88 + 108, 16, true);
  for (const [index, address] of Object.entries(directories)) {
    view.setUint32(88 + 112 + Number(index) * 8, address, true);
    view.setUint32(88 + 112 + Number(index) * 8 + 4, 40, true);
  }
  for (const [field, value] of [[8, size], [12, SECTION], [16, size], [20, SECTION]] as const) {
    view.setUint32(88 + 240 + field, value, true);
  }
  return bytes;
}

function facts(bytes: Uint8Array<ArrayBuffer>): Promise<unknown> {
  return openBinary(memorySource("hostile", bytes), "x86_64").then((image) => image.facts());
}

Deno.test("a DLL that claims more exports than numbers is refused", async () => {
  const bytes = dll(4096, { 0: SECTION });
  new DataView(bytes.buffer).setUint32(SECTION + 24, 65_537, true);
  await assertRefused(facts(bytes), "CorruptLibrary", /65537 exports/);
});

Deno.test("a DLL whose exports all bear the same long name is refused", async () => {
  const count = 65_536;
  const [functions, names, numbers] = [SECTION + 64, SECTION + 64, SECTION + 64 + count * 4];
  const text = numbers + count * 2;
  const bytes = dll(text - SECTION + 8192, { 0: SECTION });
  const view = new DataView(bytes.buffer);
  for (
    const [field, value] of [[20, count], [24, count], [28, functions], [32, names], [36, numbers]]
  ) view.setUint32(SECTION + field!, value!, true);
  for (let at = 0; at < count; at++) view.setUint32(names + at * 4, text, true);
  bytes.fill(0x61, text, text + 8000);
  await assertRefused(facts(bytes), "CorruptLibrary", /names of more than 67108864 bytes/);
});

Deno.test("a DLL that imports without end is refused", async () => {
  const entries = 2000;
  const name = SECTION + entries * 20;
  const bytes = dll(entries * 20 + 1_000_000, { 1: SECTION });
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < entries; at++) view.setUint32(SECTION + at * 20 + 12, name, true);
  bytes.fill(0x61, name, name + 3);
  await assertRefused(facts(bytes), "CorruptLibrary", /more than 1024 libraries/);
  view.setUint32(SECTION, name + 16, true);
  for (let at = name + 16; at + 8 <= bytes.length; at += 8) view.setUint32(at + 4, 1 << 31, true);
  await assertRefused(facts(bytes), "CorruptLibrary", /more than 65536 imports/);
});

Deno.test("an export trie that leads in circles, or whose names grow without end, is refused", async () => {
  const read = (bytes: Uint8Array<ArrayBuffer>) =>
    Promise.resolve().then(() => readExportTrie("hostile", bytes));
  const circle = new Uint8Array([0, 1, 0x61, 0, 0]);
  await assertRefused(read(circle), "CorruptLibrary", /an export trie that is no tree/);
  // Nodes in a row, each leading to the next by a name of 3000 bytes.
  const nodes = 300;
  const nodeBytes = 2 + 3000 + 1 + 3;
  const chain = new Uint8Array(nodes * nodeBytes);
  for (let node = 0; node < nodes; node++) {
    const at = node * nodeBytes;
    const next = at + nodeBytes;
    chain[at + 1] = 1;
    chain.fill(0x61, at + 2, at + 3002);
    chain.set([next & 127 | 128, next >> 7 & 127 | 128, next >> 14], at + 3003);
  }
  await assertRefused(read(chain), "CorruptLibrary", /an export's name has no end/);
  await assertRefused(read(new Uint8Array([0x80, 0x80])), "CorruptLibrary", /ends inside a node/);
  await assertRefused(read(new Uint8Array(16).fill(0xff)), "CorruptLibrary", /impossible number/);
});

Deno.test("a Mach-O file with more sections than a symbol could name is refused", async () => {
  const bytes = new Uint8Array(32 + 72 + 300 * 80);
  const view = new DataView(bytes.buffer);
  const size = bytes.length - 32;
  for (
    const [at, value] of [
      [0, 0xfeedfacf],
      [4, 0x01000007],
      [12, 6],
      [16, 1],
      [20, size],
      [32, 0x19],
      [36, size],
      [96, 300],
    ] as const
  ) view.setUint32(at, value, true);
  await assertRefused(facts(bytes), "CorruptLibrary", /more than 255 sections/);
});
