import assert from "node:assert/strict";
import { join } from "node:path";
import { FileSource, MAX_LIBRARY_BYTES, memorySource } from "../../../src/plugin/byte_source.ts";
import type { BinaryFacts } from "../../../src/plugin/binary.ts";
import { readFacts } from "../../../src/plugin/elf.ts";
import { ElfImage } from "../../../src/plugin/elf_image.ts";
import { compareDotted, newestGlibc } from "../../../src/plugin/elf_versions.ts";
import { assertRefused, buildPlugin, run, withFolder } from "./fixtures.ts";

async function factsOf(path: string): Promise<BinaryFacts> {
  using source = await FileSource.open(path);
  return await readFacts(await ElfImage.open(source));
}

function bytesFacts(bytes: Uint8Array<ArrayBuffer>): Promise<BinaryFacts> {
  return ElfImage.open(memorySource("memory.so", bytes)).then(readFacts);
}

/** Compiles `code` and gives the library's path. */
async function compile(folder: string, code: string, ...args: string[]): Promise<string> {
  const c = join(folder, "lib.c");
  await Deno.writeTextFile(c, code);
  await run(folder, "gcc", "-shared", "-fPIC", "-o", "lib.so", c, ...args);
  return join(folder, "lib.so");
}

Deno.test("readFacts() gives symbols, needed libraries, SONAME, run path and target", async () => {
  await withFolder(async (folder) => {
    const code = `#include <stdlib.h>
      extern int elsewhere(void); extern int perhaps(void) __attribute__((weak));
      __attribute__((visibility("hidden"))) int hidden(void) { return 1; }
      int data[4] = {1}; int shown(void) { return elsewhere() + (perhaps ? perhaps() : 0) + hidden() + abs(rand()); }`;
    const path = await compile(
      folder,
      code,
      "-Wl,-soname,libx.so.1",
      "-Wl,-rpath,$ORIGIN:/opt/x",
      "-lm",
      "-Wl,--no-as-needed",
      "-lm",
    );
    const facts = await factsOf(path);
    assert.equal(facts.linkName, "libx.so.1");
    assert.deepEqual([...facts.runpath, ...facts.rpath], ["$ORIGIN", "/opt/x"]);
    assert.ok(
      facts.needed.includes("libm.so.6") && facts.needed.includes("libc.so.6"),
      String(facts.needed),
    );
    assert.equal(facts.machine, Deno.build.arch);
    assert.equal(facts.target, Deno.build.target);
    const shown = facts.exported.find(({ name }) => name === "shown");
    assert.equal(shown?.kind, "function");
    const data = facts.exported.find(({ name }) => name === "data");
    assert.deepEqual([data?.kind, data?.size], ["data", 16]);
    assert.ok(!facts.exported.some(({ name }) => name === "hidden"));
    assert.ok(facts.undefinedSymbols.includes("elsewhere"));
    assert.ok(!facts.undefinedSymbols.includes("perhaps"));
    assert.match(facts.requiredGlibc ?? "", /^2\.\d+/);
    assert.equal(facts.runtime, undefined);
    assert.equal(facts.executableStack, false);
    assert.equal(facts.format, "ELF");
    assert.ok(facts.protections.includes("RELRO"));
  });
});

Deno.test("readFacts() finds every function of a stripped library, with either kind of hash table", async () => {
  await withFolder(async (folder) => {
    for (const style of ["gnu", "sysv", "both"]) {
      const names = Array.from({ length: 40 }, (_, index) => `name_${index * 7}`);
      const code = names.map((name) => `int ${name}(void) { return 0; }`).join("\n");
      const path = await compile(folder, code, `-Wl,--hash-style=${style}`);
      await run(folder, "strip", "-s", path);
      const { exported } = await factsOf(path);
      assert.deepEqual(
        exported.map(({ name }) => name).filter((name) => name.startsWith("name_")).sort(),
        names.sort(),
      );
    }
  });
});

Deno.test("readFacts() needs no section headers", async () => {
  await withFolder(async (folder) => {
    const path = await buildPlugin(folder, "x.so");
    const before = await factsOf(path);
    const bytes = await Deno.readFile(path);
    const view = new DataView(bytes.buffer);
    const sections = Number(view.getBigUint64(40, true));
    view.setBigUint64(40, 0n, true);
    bytes.fill(0, 58, 64);
    assert.deepEqual(await bytesFacts(bytes.slice(0, sections)), before);
  });
});

Deno.test("readFacts() recognises a Go runtime by each of its marks alone", async () => {
  await withFolder(async (folder) => {
    const marks = {
      note: `__attribute__((section(".note.go.buildid"), used, aligned(4)))
        static const struct { unsigned owner, size, type; char name[4], id[4]; } note = {4, 4, 4, "Go", "abc"};`,
      export: "int _cgo_topofstack(void) { return 0; }",
      "build information": String.raw`__attribute__((aligned(16), used))
        static char info[32] = "\xff Go buildinf:\x08\x02";`,
    };
    for (const [mark, code] of Object.entries(marks)) {
      const path = await compile(folder, code);
      await run(folder, "strip", path);
      assert.equal((await factsOf(path)).runtime, "go", mark);
    }
    const words = await compile(
      folder,
      String.raw`__attribute__((aligned(16))) char text[] = "x\xff Go buildinf:\x08\x02";`,
    );
    assert.equal((await factsOf(words)).runtime, undefined);
  });
});

Deno.test("readFacts() reads a library for aarch64", async () => {
  await withFolder(async (folder) => {
    const bytes = await Deno.readFile(await buildPlugin(folder, "x.so"));
    new DataView(bytes.buffer).setUint16(18, 183, true);
    const facts = await bytesFacts(bytes);
    assert.equal(facts.machine, "aarch64");
    assert.equal(facts.target, "aarch64-unknown-linux-gnu");
  });
});

Deno.test("ElfImage.open() says what a file is that is not a 64-bit little-endian shared library", async () => {
  await withFolder(async (folder) => {
    const good = await Deno.readFile(await buildPlugin(folder, "x.so"));
    const patched = (offset: number, ...values: number[]) => {
      const bytes = good.slice();
      bytes.set(values, offset);
      return ElfImage.open(memorySource("memory.so", bytes));
    };
    await assertRefused(patched(4, 1), "NotALibrary", /32-bit/);
    await assertRefused(patched(5, 2), "NotALibrary", /big-endian/);
    await assertRefused(patched(16, 1), "NotALibrary", /object file/);
    await assertRefused(patched(16, 2), "NotALibrary", /an executable/);
    await assertRefused(patched(18, 243), "NotALibrary", /processor 243/);
    await assertRefused(patched(0, 0x23, 0x21), "NotALibrary", /not an ELF library/);
    await Deno.writeTextFile(join(folder, "main.c"), "int main(void) { return 0; }");
    await run(folder, "gcc", "-pie", "-fPIE", "-o", "program", "main.c");
    await assertRefused(factsOf(join(folder, "program")), "NotALibrary", /is an executable/);
    const closed = await compile(folder, "int x;", "-Wl,-z,nodlopen");
    await assertRefused(factsOf(closed), "NotALibrary", /forbids dlopen/);
  });
});

Deno.test("FileSource.open() refuses what is no regular file, without waiting for it", async () => {
  await withFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    await run(folder, "mkfifo", "fifo");
    const socket = Deno.listen({ transport: "unix", path: at("socket") });
    socket.close();
    await Deno.writeTextFile(at("empty"), "");
    await Deno.symlink(at("loop"), at("loop"));
    await assertRefused(FileSource.open(at("fifo")), "NotALibrary", /a named pipe/);
    await assertRefused(FileSource.open(folder), "NotALibrary", /a folder/);
    await assertRefused(FileSource.open("/dev/zero"), "NotALibrary", /a device/);
    await assertRefused(FileSource.open(at("empty")), "NotALibrary", /is empty/);
    await assertRefused(FileSource.open(at("nothing")), "NotFound", /no such file/);
    await assertRefused(FileSource.open(at("loop")), "NotReadable", /symbolic links/i);
    await assertRefused(FileSource.open(join(at("empty"), "x")), "NotReadable", /not a directory/i);
    await assertRefused(FileSource.open("a\0b"), "NotReadable", /./);
    using _file = await FileSource.open(await buildPlugin(folder, "x.so"));
  });
});

Deno.test("a huge, sparse or truncated file is refused without being read", async () => {
  await withFolder(async (folder) => {
    const path = await buildPlugin(folder, "x.so");
    const { size } = await Deno.stat(path);
    await Deno.truncate(path, MAX_LIBRARY_BYTES + 1);
    await assertRefused(FileSource.open(path), "NotALibrary", /268435457 bytes/);
    await Deno.writeFile(join(folder, "sparse.so"), new Uint8Array());
    await Deno.truncate(join(folder, "sparse.so"), MAX_LIBRARY_BYTES);
    await assertRefused(factsOf(join(folder, "sparse.so")), "NotALibrary", /not an ELF library/);
    await Deno.truncate(path, size >> 1);
    await assertRefused(factsOf(path), "CorruptLibrary", /truncated/);
    await Deno.truncate(path, 20);
    await assertRefused(factsOf(path), "CorruptLibrary", /truncated/);
  });
});

Deno.test("newestGlibc() compares versions as numbers", () => {
  assert.equal(newestGlibc(["GLIBC_2.9", "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_PRIVATE"]), "2.34");
  assert.equal(newestGlibc(["GLIBC_2.2.5", "GLIBC_ABI_DT_RELR"]), "2.36");
  assert.equal(newestGlibc(["GCC_3.0"]), undefined);
  assert.ok(compareDotted("2.2.5", "2.2") > 0);
});
