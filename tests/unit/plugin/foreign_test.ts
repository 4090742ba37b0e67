import assert from "node:assert/strict";
import { join } from "node:path";
import { readContents } from "../../../src/plugin/contents.ts";
import { memorySource } from "../../../src/plugin/byte_source.ts";
import { inspectPlugin } from "../../../src/plugin/inspect.ts";
import { openBinary } from "../../../src/plugin/open_binary.ts";
import type { ZigTarget } from "../../support/zig.ts";
import { assertRefused, buildPlugin, HASH, HOST, withFolder } from "./fixtures.ts";
import { contentsOf, factsOf, foreignPlugins, TARGETS } from "./foreign.ts";

Deno.test("a plugin for any system gives its exports, hash and manifest", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  for (const [name, bytes] of Object.entries(plugins) as [ZigTarget, Uint8Array<ArrayBuffer>][]) {
    const { binary, abiHash, manifest, faults } = await contentsOf(bytes);
    assert.deepEqual(faults, [], name);
    assert.equal(abiHash, HASH, name);
    const { target } = JSON.parse(new TextDecoder().decode(manifest));
    assert.equal(target, TARGETS[name]);
    assert.equal(binary.target, TARGETS[name]);
    assert.equal(binary.machine, name.split("-")[0]);
    const kinds = Object.fromEntries(binary.exported.map(({ name, kind }) => [name, kind]));
    assert.equal(kinds.busbar_plugin, "function", name);
    assert.equal(kinds.busbar_manifest, "data", name);
    assert.equal(kinds.table, "data", name);
    assert.equal(kinds.hidden, undefined, name);
    assert.equal(binary.runtime, undefined);
    assert.equal(binary.executableStack, false);
  }
});

Deno.test("inspectPlugin() refuses a plugin for another system, naming both sides, and still tells all of it", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const formats = { linux: "ELF", macos: "Mach-O", windows: "PE" };
  await withFolder(async (folder) => {
    for (const [name, bytes] of Object.entries(plugins) as [ZigTarget, Uint8Array<ArrayBuffer>][]) {
      const path = join(folder, `libbusbar_source_${name}.so`);
      await Deno.writeFile(path, bytes);
      const host = { ...HOST, machine: "x86_64", target: "x86_64-unknown-linux-gnu" } as const;
      const inspection = await inspectPlugin(path, { host });
      const { verdict, binary, manifest, libraries } = inspection;
      const format = formats[name.split("-")[1] as keyof typeof formats];
      const reasons = verdict.problems.map(({ code, reason }) => `${code}: ${reason}`);
      const expected = [
        `TargetMismatch: target differs: plugin "${TARGETS[name]}", host "${host.target}"`,
      ];
      if (format !== "ELF") {
        expected.push(
          `TargetMismatch: format of the file differs: plugin "${format}", host "ELF"`,
        );
      }
      if (name.startsWith("aarch64")) {
        expected.push(
          'TargetMismatch: machine type of the file differs: plugin "aarch64", host "x86_64"',
        );
      }
      assert.deepEqual(reasons, expected);
      assert.equal(manifest?.name, "foreign");
      assert.equal(binary.format, format);
      assert.deepEqual(libraries, { found: [], missing: [] });
    }
  });
});

Deno.test("openBinary() says what a file is that is not a shared library", async () => {
  await withFolder(async (folder) => {
    const elf = await Deno.readFile(await buildPlugin(folder, "x.so"));
    const open = (...start: number[]) => {
      const bytes = elf.slice();
      bytes.set(start);
      return openBinary(memorySource("x", bytes), "x86_64");
    };
    await openBinary(memorySource("x", elf), "x86_64");
    const refused: [number[], RegExp][] = [
      [[...new TextEncoder().encode("!<arch>\n")], /static library; link a shared one/],
      [[0x23, 0x21], /neither ELF, Mach-O nor PE/],
      [[0xce, 0xfa, 0xed, 0xfe], /32-bit macOS/],
      [[0xfe, 0xed, 0xfa, 0xcf], /big-endian macOS/],
      [[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52], /neither ELF, Mach-O nor PE/], // a Java class
      [[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0], /a fat file for no processor/],
      [[0x4d, 0x5a], /a DOS program/],
    ];
    for (const [start, message] of refused) {
      await assertRefused(open(...start), "NotALibrary", message);
    }
    await assertRefused(
      openBinary(memorySource("x", new Uint8Array([1])), "x86_64"),
      "NotALibrary",
      /neither/,
    );
  });
});

Deno.test("what a library imports and how it is protected is read in every format", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const mac = await factsOf(plugins["aarch64-macos"]);
  assert.ok(mac.needed.includes("/usr/lib/libSystem.B.dylib"), String(mac.needed));
  assert.ok(mac.undefinedSymbols.includes("getpid"), String(mac.undefinedSymbols));
  assert.deepEqual(mac.runpath, ["@loader_path/lib"]);
  assert.match(mac.linkName ?? "", /foreign/);
  assert.match(mac.minimumSystem ?? "", /^macOS 1\d\.\d/);
  assert.equal(mac.signed, true);
  assert.equal((await factsOf(plugins["x86_64-macos"])).signed, false);
  for (const target of ["x86_64-windows-gnu", "aarch64-windows-gnu"] as const) {
    const windows = await factsOf(plugins[target]);
    assert.deepEqual(windows.needed, ["KERNEL32.dll"]);
    assert.deepEqual(windows.undefinedSymbols, ["GetLastError"]);
    assert.equal(windows.linkName, "foreign.lib");
    assert.equal(windows.minimumSystem, "Windows 6.0");
    assert.deepEqual(windows.protections, ["HIGH_ENTROPY_VA", "ASLR", "DEP"]);
    assert.equal(windows.signed, false);
  }
  const linux = await factsOf(plugins["aarch64-linux-gnu"]);
  assert.ok(linux.needed.includes("libc.so.6"), String(linux.needed));
  assert.ok(linux.undefinedSymbols.includes("getpid"));
});

Deno.test("readContents() tells of a foreign library without the plugin's exports what is missing", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  for (const target of ["x86_64-macos", "x86_64-windows-gnu"] as const) {
    const bytes = plugins[target].slice();
    const text = new TextDecoder("latin1").decode(bytes);
    // An export's name is text in both formats; of a trie it may be cut in pieces, so the common end is changed.
    for (const word of ["abi_hash", "manifest", "plugin"]) {
      const encoded = new TextEncoder().encode(word);
      for (let at = text.indexOf(`${word}\0`); at >= 0; at = text.indexOf(`${word}\0`, at + 1)) {
        bytes.set(encoded.map((byte) => byte ^ 1), at);
      }
    }
    const image = await openBinary(memorySource("x", bytes), "x86_64");
    const { faults } = await readContents(image, { size: bytes.length, digest: "d" });
    assert.deepEqual(faults.map(({ code }) => code).sort(), [
      "ManifestNotFound",
      "MissingSymbol",
      "MissingSymbol",
    ], target);
  }
});
