import assert from "node:assert/strict";
import { assertRefused, HASH } from "./fixtures.ts";
import {
  compileForeign,
  contentsOf,
  factsOf,
  fatFile,
  foreignPlugins,
  TARGETS,
} from "./foreign.ts";

const X86_64 = 0x01000007;
const ARM64 = 0x0100000c;
const DYLD_INFO_ONLY = 0x80000022;

/** Where the first load command with `number` begins. */
function commandAt(bytes: Uint8Array<ArrayBuffer>, number: number): number {
  const view = new DataView(bytes.buffer);
  let at = 32;
  while (view.getUint32(at, true) !== number) at += view.getUint32(at + 4, true);
  return at;
}

Deno.test("a fat file is read as the slice for the host's machine, and says which others it has", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const slices = [
    { bytes: new Uint8Array(16), processor: 12 },
    { bytes: plugins["x86_64-macos"], processor: X86_64 },
    { bytes: plugins["aarch64-macos"], processor: ARM64, subtype: 0x80000002 },
  ];
  for (const wide of [false, true]) {
    const fat = fatFile(slices, { wide });
    for (const machine of ["x86_64", "aarch64"] as const) {
      const { binary, abiHash, manifest, faults } = await contentsOf(fat, machine);
      assert.deepEqual(faults, []);
      assert.equal(abiHash, HASH);
      assert.equal(binary.machine, machine);
      assert.deepEqual(binary.slices, ["arm", "x86_64", "arm64e"]);
      const { target } = JSON.parse(new TextDecoder().decode(manifest));
      assert.equal(target, TARGETS[`${machine}-macos`]);
    }
    const one = fatFile(slices.slice(0, 2), { wide });
    assert.equal((await factsOf(one, "aarch64")).machine, "x86_64");
    const none = fatFile(slices.slice(0, 1), { wide });
    await assertRefused(factsOf(none), "NotALibrary", /a fat file for arm, and only x86-64/);
    await assertRefused(factsOf(one.slice(0, 9000)), "CorruptLibrary", /slice x86_64 ends at byte/);
  }
});

Deno.test("exports are read from the trie of either kind, and without one from the symbol table", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const good = plugins["x86_64-macos"];
  const names = async (bytes: Uint8Array<ArrayBuffer>) =>
    (await factsOf(bytes)).exported.map(({ name, kind }) => `${kind} ${name}`).sort();
  const expected = await names(good);
  assert.equal(expected.length, 4);
  const at = commandAt(good, DYLD_INFO_ONLY);
  const view = new DataView(good.buffer);
  const [offset, size] = [view.getUint32(at + 40, true), view.getUint32(at + 44, true)];

  const newer = good.slice();
  const commands = new DataView(newer.buffer);
  for (
    const [index, fields] of [[0x80000033, offset, size], [0x80000034, 0, 0], [0x26, 0, 0]]
      .entries()
  ) {
    const [number = 0, ...range] = fields;
    for (const [field, value] of [number, 16, ...range].entries()) {
      commands.setUint32(at + index * 16 + field * 4, value, true);
    }
  }
  commands.setUint32(16, commands.getUint32(16, true) + 2, true);
  assert.deepEqual(await names(newer), expected);

  const none = await compileForeign("x86_64-macos", "int shown(void) { return 1; }", []);
  new DataView(none.buffer).setUint32(commandAt(none, DYLD_INFO_ONLY) + 44, 0, true);
  assert.deepEqual(await names(none), ["function shown"]);
});

Deno.test("a Mach-O file that is no library says what it is", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const patched = (offset: number, value: number) => {
    const bytes = plugins["x86_64-macos"].slice();
    new DataView(bytes.buffer).setUint32(offset, value, true);
    return factsOf(bytes);
  };
  await assertRefused(
    patched(12, 2),
    "NotALibrary",
    /is an executable, .* link it with -dynamiclib/,
  );
  await assertRefused(patched(12, 1), "NotALibrary", /an object file/);
  await assertRefused(patched(12, 77), "NotALibrary", /of Mach-O type 77/);
  await assertRefused(patched(4, 18), "NotALibrary", /for processor 18 \(Mach-O\)/);
  await assertRefused(patched(16, 5000), "CorruptLibrary", /5000 load commands/);
  await assertRefused(patched(36, 4), "CorruptLibrary", /load command 0 of 4 bytes/);
  await assertRefused(
    factsOf(plugins["x86_64-macos"].slice(0, 6000)),
    "CorruptLibrary",
    /truncated: a segment ends/,
  );
  const bundle = plugins["x86_64-macos"].slice();
  new DataView(bundle.buffer).setUint32(12, 8, true);
  assert.equal((await factsOf(bundle)).format, "Mach-O");
});

Deno.test("Go is recognised in a macOS library by its section and by its exports", async () => {
  if (!await foreignPlugins()) return;
  for (
    const code of [
      '__attribute__((section("__DATA,__go_buildinfo"), used)) int info[4] = {1};',
      "int _cgo_topofstack(void) { return 0; }",
    ]
  ) {
    assert.equal((await factsOf(await compileForeign("x86_64-macos", code, []))).runtime, "go");
  }
});
