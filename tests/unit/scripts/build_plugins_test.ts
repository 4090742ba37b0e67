import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type BuildOverrides,
  buildPlugin,
  buildPlugins,
} from "../../../scripts/lib/build_plugins.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";

const SOURCE =
  '#include "busbar.h"\nBUSBAR_EXPORT const void *busbar_plugin(const void *host) { return host; }\n';
const PLUGIN = {
  name: "tiny",
  version: "1.2.3",
  description: 'Größe "?" ??/',
  components: [{ kind: "source", name: "one" }],
};
const BUILD = {
  language: "c",
  sources: ["tiny.c"],
  libs: ["z"],
  library: "libbusbar_source_tiny.so",
};

async function inFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function writePlugin(
  folder: string,
  build: Record<string, unknown> = BUILD,
): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "plugin.json"), JSON.stringify(PLUGIN));
  await Deno.writeTextFile(join(folder, "build.json"), JSON.stringify(build));
  for (const source of build.sources as string[]) {
    await Deno.writeTextFile(join(folder, source), SOURCE);
  }
  return folder;
}

/** The two strings that a library exports. */
function exportsOf(path: string): { hash: string; manifest: string } {
  const library = Deno.dlopen(path, {
    busbar_abi_hash: { type: "pointer" },
    busbar_manifest: { type: "pointer" },
  });
  try {
    const text = (symbol: "busbar_abi_hash" | "busbar_manifest") =>
      Deno.UnsafePointerView.getCString(library.symbols[symbol]!);
    return { hash: text("busbar_abi_hash"), manifest: text("busbar_manifest") };
  } finally {
    library.close();
  }
}

Deno.test("buildPlugin() embeds the manifest it writes, and the header's ABI hash", async () => {
  await inFolder(async (temporary) => {
    const folder = await writePlugin(join(temporary, "src"));
    const { libraryPath, manifestPath, manifest } = await buildPlugin({
      folder,
      outDir: temporary,
    });
    assert.equal(libraryPath, join(temporary, "tiny/libbusbar_source_tiny.so"));
    const { hash, manifest: embedded } = exportsOf(libraryPath);
    assert.equal(await Deno.readTextFile(manifestPath), embedded);
    assert.deepEqual(JSON.parse(embedded), manifest);
    const versions = JSON.parse(await Deno.readTextFile(join(PROJECT, "ffi/abi_versions.json")));
    assert.equal(manifest.abi, versions.current);
    assert.ok(versions.versions.some((version: { hash: string }) => version.hash === hash));
    assert.equal(manifest.description, PLUGIN.description);
    const build = manifest.build as Record<string, Record<string, string>>;
    assert.match(String(build.toolchain_version), /^gcc|clang/);
    assert.equal(Object.keys(build.dependency_hashes!).length, 2);
    for (const dependency of Object.values(build.dependency_hashes!)) {
      assert.match(dependency, /^[0-9a-f]{64}$/);
    }
  });
});

Deno.test("buildPlugin() makes the same bytes from another folder", async () => {
  await inFolder(async (temporary) => {
    const libraries: Uint8Array[] = [];
    for (const place of ["a", "b/deeper"]) {
      const folder = await writePlugin(join(temporary, place, "src"));
      const built = await buildPlugin({ folder, outDir: join(temporary, place) });
      libraries.push(await Deno.readFile(built.libraryPath));
    }
    assert.deepEqual(libraries[0], libraries[1]);
  });
});

Deno.test("buildPlugin() replaces a library by a new file and leaves the old one's bytes alone", async () => {
  await inFolder(async (temporary) => {
    const folder = await writePlugin(join(temporary, "src"));
    const first = await buildPlugin({ folder, outDir: temporary });
    const before = await Deno.readFile(first.libraryPath);
    using opened = await Deno.open(first.libraryPath);
    await Deno.writeTextFile(join(folder, "tiny.c"), SOURCE + "BUSBAR_EXPORT int more = 1;\n");
    await buildPlugin({ folder, outDir: temporary });
    const old = new Uint8Array(before.length);
    await opened.read(old);
    assert.deepEqual(old, before);
    assert.notDeepEqual(await Deno.readFile(first.libraryPath), before);
  });
});

Deno.test("buildPlugin() builds C++", async () => {
  await inFolder(async (temporary) => {
    const folder = await writePlugin(join(temporary, "src"), {
      ...BUILD,
      language: "cpp",
      sources: ["tiny.cc"],
    });
    const { manifest, libraryPath } = await buildPlugin({ folder, outDir: temporary });
    assert.equal((manifest.build as { language: string }).language, "cpp");
    assert.deepEqual(JSON.parse(exportsOf(libraryPath).manifest), manifest);
  });
});

Deno.test("buildPlugin() takes overrides for faulty fixtures", async () => {
  await inFolder(async (temporary) => {
    const folder = await writePlugin(join(temporary, "src"));
    const build = async (overrides: BuildOverrides) =>
      await buildPlugin({ folder, outDir: temporary, overrides });
    const abiHash = "f".repeat(64);
    const { libraryPath, manifestPath } = await build({
      abiHash,
      manifest: { target: "none" },
      copy: "{}",
    });
    assert.equal(exportsOf(libraryPath).hash, abiHash);
    assert.equal(JSON.parse(exportsOf(libraryPath).manifest).target, "none");
    assert.equal(await Deno.readTextFile(manifestPath), "{}");

    const broken = await build({
      embedded: "{ no",
      build: { library: "libbusbar_source_broken.so" },
    });
    assert.equal(exportsOf(broken.libraryPath).manifest, "{ no");
    assert.equal(await Deno.readTextFile(broken.manifestPath), "{ no");

    const bare = await build({
      omit: ["busbar_abi_hash"],
      build: { library: "libbusbar_source_bare.so" },
    });
    const bytes = new TextDecoder("latin1").decode(await Deno.readFile(bare.libraryPath));
    assert.ok(bytes.includes("busbar_manifest") && !bytes.includes("busbar_abi_hash"));
  });
});

Deno.test("buildPlugin() refuses a language it does not know and fields it does not know", async () => {
  await inFolder(async (temporary) => {
    const folder = await writePlugin(join(temporary, "src"), { ...BUILD, language: "pascal" });
    await assert.rejects(
      buildPlugin({ folder, outDir: temporary }),
      /language "pascal" in .*build\.json" is not/,
    );
    await writePlugin(folder, { ...BUILD, lib: ["z"] });
    await assert.rejects(buildPlugin({ folder, outDir: temporary }), /build\.json":[\s\S]*"lib"/);
  });
});

Deno.test("buildPlugin() passes on what the compiler says", async () => {
  await inFolder(async (temporary) => {
    const folder = await writePlugin(join(temporary, "src"));
    await Deno.writeTextFile(join(folder, "tiny.c"), "int broken(void) { return missing; }\n");
    await assert.rejects(
      buildPlugin({ folder, outDir: temporary }),
      /tiny\.c:1:\d+: error: .*missing/,
    );
  });
});

async function fakeProject(temporary: string): Promise<string> {
  const root = join(temporary, "project");
  await Deno.mkdir(join(root, "ffi/include"), { recursive: true });
  await Deno.copyFile(join(PROJECT, "ffi/include/busbar.h"), join(root, "ffi/include/busbar.h"));
  await writePlugin(join(root, "plugins/tiny"));
  return root;
}

Deno.test("buildPlugins() builds only what has changed", async () => {
  await inFolder(async (temporary) => {
    const root = await fakeProject(temporary);
    const lines: string[] = [];
    const build = () => buildPlugins({ root, strict: true, log: (line) => lines.push(line) });
    const manifests = await build();
    assert.deepEqual(await build(), manifests);
    assert.deepEqual(lines, ["plugin tiny"]);
    await Deno.writeTextFile(
      join(root, "plugins/tiny/tiny.c"),
      SOURCE + "BUSBAR_EXPORT int more = 1;\n",
    );
    await build();
    await Deno.remove(join(root, "dist/plugins/tiny/manifest.json"));
    await build();
    assert.equal(lines.length, 3);
  });
});

Deno.test("buildPlugins() leaves out a plugin without its compiler, but not when strict", async () => {
  await inFolder(async (temporary) => {
    const root = await fakeProject(temporary);
    const module = new URL("../../../scripts/lib/build_plugins.ts", import.meta.url);
    const build = async (strict: boolean) => {
      const code = `import { buildPlugins } from "${module}";
        const log = (line) => console.log(line);
        console.log(await buildPlugins({ root: ${
        JSON.stringify(root)
      }, strict: ${strict}, log }));`;
      const command = new Deno.Command(Deno.execPath(), {
        args: ["eval", "--quiet", `--config=${join(PROJECT, "deno.json")}`, code],
        env: { CC: "busbar-no-such-compiler", NO_COLOR: "1" },
      });
      const { success, stdout, stderr } = await command.output();
      return { success, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
    };
    const lenient = await build(false);
    assert.ok(lenient.success, lenient.text);
    assert.match(
      lenient.text,
      /skipped plugin "tiny": "busbar-no-such-compiler".*not installed\n\[\]/,
    );
    const strict = await build(true);
    assert.ok(!strict.success);
    assert.match(strict.text, /Cannot build plugin "tiny": "busbar-no-such-compiler"/);
  });
});
