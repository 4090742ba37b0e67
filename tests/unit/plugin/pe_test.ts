import assert from "node:assert/strict";
import { assertRefused } from "./fixtures.ts";
import { compileForeign, factsOf, foreignPlugins } from "./foreign.ts";

const DIRECTORIES = 24 + 112; // from the start of the PE header
const IMPORTS = 1;
const SIGNATURE = 4;
const DELAYED = 13;

/** Where the PE header of `bytes` begins. */
function headerAt(bytes: Uint8Array<ArrayBuffer>): number {
  return new DataView(bytes.buffer).getUint32(60, true);
}

Deno.test("a PE file that is no 64-bit library says what it is", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const good = plugins["x86_64-windows-gnu"];
  const start = headerAt(good);
  const patched = (offset: number, value: number) => {
    const bytes = good.slice();
    new DataView(bytes.buffer).setUint16(start + offset, value, true);
    return factsOf(bytes);
  };
  await assertRefused(patched(22, 2), "NotALibrary", /a Windows executable/);
  await assertRefused(patched(4, 0x1c0), "NotALibrary", /processor 0x1c0 \(PE machine\)/);
  await assertRefused(patched(24, 0x10b), "NotALibrary", /32-bit Windows library/);
  await assertRefused(patched(24, 7), "CorruptLibrary", /header 0x7/);
  await assertRefused(patched(0, 0), "NotALibrary", /DOS program/);
  await assertRefused(patched(6, 97), "CorruptLibrary", /97 sections/);
  await assertRefused(factsOf(good.slice(0, 2000)), "CorruptLibrary", /truncated: a section ends/);
  await assertRefused(factsOf(good.slice(0, 40)), "CorruptLibrary", /truncated: 40 bytes/);
});

Deno.test("delayed imports, imports by number and a signature are seen", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const bytes = plugins["x86_64-windows-gnu"].slice();
  const view = new DataView(bytes.buffer);
  const start = headerAt(bytes);
  const directory = (index: number) => start + DIRECTORIES + index * 8;
  // The last section's slack in the file becomes part of it, and holds the table of delayed imports.
  const sections = start + 24 + view.getUint16(start + 20, true);
  const last = sections + (view.getUint16(start + 6, true) - 1) * 40;
  const used = view.getUint32(last + 8, true);
  const [address, offset] = [view.getUint32(last + 12, true), view.getUint32(last + 20, true)];
  view.setUint32(last + 8, view.getUint32(last + 16, true), true);
  const table = (used + 7) & ~7;
  const put = (at: number, value: number) => view.setUint32(offset + table + at, value, true);
  put(4, address + table + 64);
  put(16, address + table + 96);
  bytes.set(new TextEncoder().encode("late.dll\0"), offset + table + 64);
  put(96, 12);
  put(100, 0x80000000);
  view.setUint32(directory(DELAYED), address + table, true);
  view.setUint32(directory(DELAYED) + 4, 64, true);
  view.setUint32(directory(SIGNATURE), 512, true);
  view.setUint32(directory(SIGNATURE) + 4, 8, true);
  const facts = await factsOf(bytes);
  assert.deepEqual(facts.needed, ["KERNEL32.dll", "late.dll"]);
  assert.deepEqual(facts.undefinedSymbols, ["GetLastError", "#12"]);
  assert.equal(facts.signed, true);
});

Deno.test("tables of a PE file that lead outside of it are refused", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  for (const index of [0, IMPORTS]) {
    const bytes = plugins["x86_64-windows-gnu"].slice();
    const at = headerAt(bytes) + DIRECTORIES + index * 8;
    new DataView(bytes.buffer).setUint32(at, 0x7fffff00, true);
    await assertRefused(factsOf(bytes), "CorruptLibrary", /no \d+ bytes at address 0x7fffff00/);
  }
});

Deno.test("Microsoft's tools are recognised by their runtime, and Go by its exports", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const rich = plugins["x86_64-windows-gnu"].slice();
  rich.set(new TextEncoder().encode("Rich"), 70);
  assert.equal((await factsOf(rich)).target, "x86_64-pc-windows-msvc");
  const code = `__declspec(dllexport) int _cgo_topofstack(void) { return 0; } unsigned _tls_index;
    int _DllMainCRTStartup(void *a, unsigned b, void *c) { return 1; }`;
  const go = await compileForeign("x86_64-windows-gnu", code, ["-nostdlib"]);
  assert.equal((await factsOf(go)).runtime, "go");
  assert.deepEqual((await factsOf(go)).needed, []);
});
