import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { ContentsCache } from "../../../src/plugin/contents.ts";
import {
  type Inspection,
  inspectPlugin,
  isGood,
  requireGood,
} from "../../../src/plugin/inspect.ts";
import {
  assertRefused,
  buildPlugin,
  HASH,
  HOST,
  manifestOf,
  type PluginOptions,
  withFolder,
} from "./fixtures.ts";

const FILE = "libbusbar_source_x.so";

/** Builds the plugin in a temporary folder and inspects it. */
async function inspectBuilt(
  options: PluginOptions,
  body: (inspection: Inspection) => void,
): Promise<void> {
  await withFolder(async (folder) => {
    body(await inspectPlugin(await buildPlugin(folder, FILE, options), { host: HOST }));
  });
}

function problems({ verdict }: Inspection): string[] {
  return verdict.problems.map(({ code, reason }) => `${code}: ${reason}`);
}

Deno.test("inspectPlugin() tells everything of a good plugin", async () => {
  await withFolder(async (folder) => {
    const path = await buildPlugin(folder, FILE, { manifest: manifestOf("x") });
    const inspection = await inspectPlugin(path, { host: HOST });
    assert.deepEqual(problems(inspection), []);
    assert.ok(isGood(inspection));
    assert.equal(requireGood(inspection), inspection);
    const bytes = await Deno.readFile(path);
    assert.equal(inspection.name, "x");
    assert.equal(inspection.library, path);
    assert.equal(inspection.folder, undefined);
    assert.equal(inspection.size, bytes.length);
    assert.equal(inspection.digest, createHash("sha256").update(bytes).digest("hex"));
    assert.equal(inspection.abiHash, HASH);
    assert.deepEqual(inspection.manifest, manifestOf("x"));
    assert.deepEqual(inspection.warnings, []);
  });
});

Deno.test("inspectPlugin() runs nothing of the library", async () => {
  await withFolder(async (folder) => {
    const marker = join(folder, "ran");
    const code = `#include <stdio.h>
      __attribute__((constructor)) static void run(void) { fclose(fopen(${
      JSON.stringify(marker)
    }, "w")); }`;
    const path = await buildPlugin(folder, FILE, { code });
    assert.ok((await inspectPlugin(path, { host: HOST })).verdict.ok);
    await assert.rejects(Deno.stat(marker), Deno.errors.NotFound);
  });
});

Deno.test("inspectPlugin() names every export that is missing", async () => {
  await inspectBuilt({ hash: null, noRoot: true }, (inspection) => {
    const text = problems(inspection).join("\n");
    assert.match(text, /MissingSymbol: it exports no "busbar_abi_hash"/);
    assert.match(text, /MissingSymbol: it exports no function "busbar_plugin"/);
  });
  await inspectBuilt({ manifest: null }, (inspection) => {
    assert.deepEqual(problems(inspection), ['ManifestNotFound: it exports no "busbar_manifest"']);
    assert.equal(inspection.name, FILE);
  });
  await inspectBuilt({ noRoot: true, code: "int busbar_plugin = 1;" }, (inspection) => {
    assert.deepEqual(problems(inspection), [
      'MissingSymbol: it exports no function "busbar_plugin"',
    ]);
  });
});

Deno.test("inspectPlugin() refuses hashes that are malformed, unknown or pointers", async () => {
  for (const hash of ["", "5".repeat(63), "5".repeat(65), "X".repeat(64)]) {
    await inspectBuilt({ hash }, (inspection) => {
      assert.match(
        problems(inspection)[0] ?? "",
        /^AbiMismatch: "busbar_abi_hash" is not 64 hex digits/,
      );
    });
  }
  for (const declaration of ["*const busbar_abi_hash", "busbar_abi_hash[66]"]) {
    const code = `const char ${declaration} = "${HASH}";`;
    await inspectBuilt({ hash: null, code }, (inspection) => {
      assert.match(problems(inspection)[0] ?? "", /^AbiMismatch: "busbar_abi_hash" is not 64/);
    });
  }
  await inspectBuilt({ hash: "a".repeat(64) }, (inspection) => {
    assert.match(
      problems(inspection)[0] ?? "",
      /^AbiMismatch: ABI hash differs: plugin "aaa.*, host "555/,
    );
    assert.throws(
      () => requireGood(inspection),
      /^PluginError: Cannot load plugin "fixture" from ".*": ABI hash differs: /,
    );
  });
});

Deno.test("inspectPlugin() refuses malformed manifests, one that never ends, and one that is too large", async () => {
  await inspectBuilt({ manifest: '{"name":"x",}' }, (inspection) => {
    assert.match(
      problems(inspection)[0] ?? "",
      /^InvalidManifest: Cannot read the manifest of ".*": not JSON/,
    );
  });
  const endless = "const char busbar_manifest[2] = {'{', '}'};";
  await inspectBuilt({ manifest: null, code: endless }, (inspection) => {
    assert.deepEqual(problems(inspection), [
      'InvalidManifest: "busbar_manifest" does not end in a NUL',
    ]);
  });
  const huge = "const char busbar_manifest[2000000] = {' ', '}'};";
  await inspectBuilt({ manifest: null, code: huge }, (inspection) => {
    assert.deepEqual(problems(inspection), [
      "InvalidManifest: its manifest is larger than 1048576 bytes",
    ]);
  });
});

Deno.test("inspectPlugin() lists all that differs in one error", async () => {
  const manifest = manifestOf("x", { target: "aarch64-apple-darwin", requires_minor: 9 });
  await inspectBuilt({ manifest, hash: "a".repeat(64) }, (inspection) => {
    assert.throws(
      () => requireGood(inspection),
      /ABI hash differs: .*; requires_minor differs: .*; target differs: /,
    );
  });
});

Deno.test("inspectPlugin() reports a library that is missing, unless it is preloaded", async () => {
  await withFolder(async (folder) => {
    await buildPlugin(folder, "libneeded.so", { args: ["-Wl,-soname,libneeded.so.3"] });
    const path = await buildPlugin(folder, FILE, {
      args: ["-Wl,--no-as-needed", "-L.", "-lneeded"],
    });
    const inspection = await inspectPlugin(path, { host: HOST });
    assert.match(
      problems(inspection).join(),
      /^MissingLibrary: library "libneeded\.so\.3", needed by "libbusbar_source_x\.so", is missing: /,
    );
    assert.ok(
      (await inspectPlugin(path, { host: HOST, provided: new Set(["libneeded.so.3"]) })).verdict.ok,
    );
  });
});

Deno.test("inspectPlugin() takes a folder with a manifest and one library, or that library's path", async () => {
  await withFolder(async (folder) => {
    const manifest = manifestOf("x");
    const path = await buildPlugin(folder, "plain.so", { manifest });
    await assertRefused(
      inspectPlugin(folder, { host: HOST }),
      "ManifestNotFound",
      /has no manifest\.json/,
    );
    const copy = join(folder, "manifest.json");
    await Deno.writeTextFile(copy, JSON.stringify(manifest));
    for (const form of [folder, path]) {
      const inspection = await inspectPlugin(form, { host: HOST });
      assert.deepEqual(problems(inspection), []);
      assert.deepEqual([inspection.folder, inspection.library], [folder, path]);
    }
    await Deno.copyFile(path, join(folder, "other.so"));
    await assertRefused(
      inspectPlugin(folder, { host: HOST }),
      "NotALibrary",
      /several libraries \("other\.so", "plain\.so"\)/,
    );
    await Deno.rename(path, join(folder, FILE));
    assert.equal(basename((await inspectPlugin(folder, { host: HOST })).library), FILE);
    await Deno.remove(join(folder, FILE));
    await Deno.remove(join(folder, "other.so"));
    await assertRefused(inspectPlugin(folder, { host: HOST }), "NotALibrary", /but no library/);
    await assertRefused(
      inspectPlugin(join(folder, "none"), { host: HOST }),
      "NotFound",
      /no such file/,
    );
  });
});

Deno.test("inspectPlugin() refuses a manifest.json that differs by one byte", async () => {
  await withFolder(async (folder) => {
    const manifest = manifestOf("x");
    await buildPlugin(folder, FILE, { manifest });
    await Deno.writeTextFile(join(folder, "manifest.json"), JSON.stringify(manifest) + "\n");
    const inspection = await inspectPlugin(folder, { host: HOST });
    assert.match(
      problems(inspection).join(),
      /^ManifestDiffers: ".*manifest\.json" differs from the embedded manifest at byte \d+, line 1/,
    );
    await Deno.remove(join(folder, "manifest.json"));
    await Deno.mkdir(join(folder, "manifest.json"));
    await assertRefused(inspectPlugin(folder, { host: HOST }), "InvalidManifest", /not a file/);
  });
});

Deno.test("ContentsCache knows the same bytes anywhere, and sees a file change", async () => {
  await withFolder(async (folder) => {
    const path = await buildPlugin(folder, FILE);
    const cache = new ContentsCache();
    const first = await cache.read(path);
    assert.equal(await cache.read(path), first);
    const copy = join(folder, "copy.so");
    await Deno.copyFile(path, copy);
    assert.equal(await cache.read(copy), first, "the same bytes elsewhere");
    const bytes = await Deno.readFile(path);
    bytes[bytes.length - 1] = 1;
    await Deno.writeFile(path, bytes);
    assert.notEqual((await cache.read(path)).digest, first.digest);
  });
});

Deno.test("inspectPlugin() warns of Go and of an executable stack", async () => {
  const code = "int _cgo_topofstack(void) { return 0; }";
  await inspectBuilt({ code, args: ["-Wl,-z,execstack"] }, (inspection) => {
    assert.ok(inspection.verdict.ok);
    assert.equal(inspection.runtime, "go");
    assert.match(inspection.warnings.join(), /Go runtime.*executable stack/);
  });
});
