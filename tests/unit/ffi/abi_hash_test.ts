import assert from "node:assert/strict";
import { join } from "node:path";
import { abiHash, frozenDeclarations } from "../../../ffi/abi_hash.ts";
import abiVersions from "../../../ffi/abi_versions.json" with { type: "json" };
import { compilerOf } from "../../../src/project/toolchain.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { HEADERS, run } from "./headers.ts";

const header = await Deno.readTextFile(HEADERS.abi);

/** The header with the first `from` behind the beginning of the frozen part replaced. */
function edited(from: string | RegExp, to: string): string {
  const begin = header.indexOf("ABI FROZEN BEGIN ==== */") + "ABI FROZEN BEGIN ==== */".length;
  const frozen = header.slice(begin);
  const there = typeof from === "string" ? frozen.includes(from) : from.test(frozen);
  assert.ok(there, `the header has no ${from}`);
  return header.slice(0, begin) + frozen.replace(from, to);
}

Deno.test("the hash of the header is the one it states, and the current one in abi_versions.json", async () => {
  const hash = await abiHash(header);
  assert.equal(/#define BUSBAR_ABI_HASH "([0-9a-f]{64})"/.exec(header)?.[1], hash);
  const current = abiVersions.versions.find(({ version }) => version === abiVersions.current);
  assert.equal(current?.hash, hash);
  const versions = abiVersions.versions.map(({ version }) => version);
  assert.equal(new Set(versions).size, versions.length);
});

Deno.test("prose does not change the hash: comments, white space, line ends, what is outside the markers", async () => {
  const hash = await abiHash(header);
  const edits = {
    "a comment changed": edited("done; all of the batch is accepted", "fine"),
    "a comment added": edited("uint32_t size;", "uint32_t /* of\n all */ size; // bytes\n"),
    "a comment taken out": edited(/\/\* [^*]* \*\//, ""),
    "white space": edited("typedef struct busbar_batch {", "typedef  struct\n\tbusbar_batch\n{"),
    "line ends": header.replaceAll("\n", "\r\n"),
    "indented definition": edited("#define BUSBAR_OK 0 ", "  #define  BUSBAR_OK   0 "),
    "a macro behind the end": header.replace("#define BUSBAR_EXPORT", "#define BUSBAR_PUBLIC"),
    "prose before the beginning": header.replace("POLICY", "Policy"),
  };
  for (const [name, text] of Object.entries(edits)) {
    assert.notEqual(text, header, name);
    assert.equal(await abiHash(text), hash, name);
  }
});

Deno.test("declarations change the hash: a member, a type, an order, a value, a signature", async () => {
  const hash = await abiHash(header);
  const edits = {
    "a member added": edited("uint32_t out_count;", "uint32_t out_count; uint32_t more;"),
    "a member renamed": edited("uint32_t out_count;", "uint32_t output_count;"),
    "a type changed": edited("uint32_t done;", "uint64_t done;"),
    "members swapped": edited(
      /uint32_t position_length;\s*uint32_t position_capacity;/,
      "uint32_t position_capacity; uint32_t position_length;",
    ),
    "a value changed": edited("#define BUSBAR_MORE 2", "#define BUSBAR_MORE 9"),
    "a value moved to the next macro": edited("#define BUSBAR_OK 0", "#define BUSBAR_OK\n0"),
    "a signature changed": edited("int32_t (*flush)(void *self)", "void (*flush)(void *self)"),
    "a const taken away": edited("const busbar_bytes_t *position", "busbar_bytes_t *position"),
  };
  for (const [name, text] of Object.entries(edits)) {
    assert.notEqual(text, header, name);
    assert.notEqual(await abiHash(text), hash, name);
  }
});

Deno.test("frozenDeclarations() says which marker is missing", () => {
  assert.throws(() => frozenDeclarations("int x;"), /the header lacks .*FROZEN BEGIN/);
});

Deno.test("busbar.h is C11 and C++17 without a warning, also where a pedant looks", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const languages = [["c", "c11", ".c"], ["cpp", "c++17", ".cpp"]] as const;
    for (const [language, standard, suffix] of languages) {
      const file = join(folder, `header${suffix}`);
      await Deno.writeTextFile(file, '#include "busbar.h"\nint main(void) { return 0; }\n');
      await run([
        compilerOf(language),
        ...[`-std=${standard}`, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"],
        ...["-Wconversion", "-I", join(PROJECT, "ffi/include"), file],
      ]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
