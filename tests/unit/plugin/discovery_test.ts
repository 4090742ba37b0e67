import assert from "node:assert/strict";
import { join } from "node:path";
import { defaultDirectories, discover, type Discovery } from "../../../src/plugin/discovery.ts";
import { buildPlugin, HOST, manifestOf, run, withFolder } from "./fixtures.ts";

/** Builds a plugin with manifest.json into `<directory>/<name>/`. */
async function folderPlugin(directory: string, name: string, version = "1.0.0"): Promise<string> {
  const folder = join(directory, name);
  const manifest = manifestOf(name, { version });
  await buildPlugin(folder, `libbusbar_source_${name}.so`, { manifest });
  await Deno.writeTextFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  return folder;
}

function names({ plugins }: Discovery): string[] {
  return plugins.map(({ name, manifest }) => `${name} ${manifest.version}`);
}

Deno.test("discover() finds folders and marked files, and skips other libraries", async () => {
  await withFolder(async (folder) => {
    await folderPlugin(folder, "b");
    await buildPlugin(folder, "libbusbar_reaction_a.so", { manifest: manifestOf("a") });
    await buildPlugin(folder, "libother.so", { manifest: manifestOf("other") });
    await Deno.mkdir(join(folder, "docs"));
    await Deno.writeTextFile(join(folder, "README.md"), "not a plugin");
    await Deno.symlink(join(folder, "nowhere"), join(folder, "dangling"));
    const result = await discover([folder], { host: HOST });
    assert.deepEqual(result.problems, []);
    assert.deepEqual(names(result), ["a 1.0.0", "b 1.0.0"]);
    assert.deepEqual(result.plugins.map((plugin) => plugin.folder), [undefined, join(folder, "b")]);
    assert.equal(result.skipped, 2);
  });
});

Deno.test("discover() reports each bad plugin, and the rest is found", async () => {
  await withFolder(async (folder) => {
    await folderPlugin(folder, "good");
    const at = (name: string) => join(folder, name);
    await Deno.writeTextFile(at("libbusbar_hook_text.so"), "text");
    await Deno.writeTextFile(at("libbusbar_hook_empty.so"), "");
    await run(folder, "mkfifo", "libbusbar_hook_pipe.so");
    await Deno.mkdir(at("libbusbar_hook_folder.so"));
    await buildPlugin(folder, "libbusbar_source_hash.so", {
      manifest: manifestOf("hash"),
      hash: "0".repeat(64),
    });
    await buildPlugin(at("unmanifested"), "libbusbar_source_x.so");
    await Deno.mkdir(at("hollow"));
    await Deno.writeTextFile(at("hollow/manifest.json"), "{}");
    const result = await discover([folder], { host: HOST });
    assert.deepEqual(names(result), ["good 1.0.0"]);
    const found = new Map(
      result.problems.map(({ path, code }) => [path.slice(folder.length + 1), code]),
    );
    assert.deepEqual(
      found,
      new Map([
        ["hollow", "NotALibrary"],
        ["libbusbar_hook_empty.so", "NotALibrary"],
        ["libbusbar_hook_folder.so", "ManifestNotFound"],
        ["libbusbar_hook_pipe.so", "NotALibrary"],
        ["libbusbar_hook_text.so", "NotALibrary"],
        ["libbusbar_source_hash.so", "AbiMismatch"],
        ["unmanifested", "ManifestNotFound"],
      ]),
    );
    assert.deepEqual(result.refused.map(({ name }) => name), ["hash"]);
  });
});

Deno.test("discover() takes the highest version of a plugin, and reports the others", async () => {
  await withFolder(async (folder) => {
    for (
      const [directory, version] of [["one", "1.9.0"], ["two", "1.10.0"], [
        "three",
        "1.10.0-rc.1",
      ]] as const
    ) {
      await folderPlugin(join(folder, directory), "x", version);
    }
    const result = await discover(["one", "two", "three"].map((name) => join(folder, name)), {
      host: HOST,
    });
    assert.deepEqual(names(result), ["x 1.10.0"]);
    assert.deepEqual(result.problems.map(({ code }) => code), [
      "DuplicatePlugin",
      "DuplicatePlugin",
    ]);
    const text = result.problems.map(({ message }) => message).join("\n");
    assert.match(
      text,
      /Cannot use plugin "x" 1\.9\.0 from ".*one\/x": the one in ".*two\/x" has the newer version 1\.10\.0; remove one/,
    );
    assert.match(text, /Cannot use plugin "x" 1\.10\.0-rc\.1 from/);
  });
});

Deno.test("discover() takes the first of equal versions, and says whether they differ", async () => {
  await withFolder(async (folder) => {
    const first = await folderPlugin(join(folder, "one"), "x");
    await Deno.mkdir(join(folder, "two"));
    await run(folder, "cp", "-r", first, join(folder, "two/x"));
    const other = { manifest: manifestOf("x"), code: "int other = 1;" };
    await buildPlugin(join(folder, "three"), "libbusbar_source_x.so", other);
    const result = await discover(["one", "two", "three"].map((name) => join(folder, name)), {
      host: HOST,
    });
    assert.equal(result.plugins[0]?.folder, first);
    const text = result.problems.map(({ message }) => message).join("\n");
    assert.match(text, /two\/x": the one in ".*one\/x" is the same file and was found first/);
    assert.match(
      text,
      /three.*": the one in ".*one\/x" has the same version, other contents, and was found first/,
    );
  });
});

Deno.test("discover() searches a folder once, reports one that is missing, and not an optional one", async () => {
  await withFolder(async (folder) => {
    await folderPlugin(folder, "x");
    const missing = join(folder, "missing");
    const link = `${folder}-link`;
    await Deno.symlink(folder, link);
    try {
      const result = await discover([folder, link, missing], {
        host: HOST,
        optional: [join(folder, "default")],
      });
      assert.deepEqual(names(result), ["x 1.0.0"]);
      assert.deepEqual(result.problems.map(({ code, path }) => [code, path]), [[
        "NotFound",
        missing,
      ]]);
    } finally {
      await Deno.remove(link);
    }
  });
});

Deno.test("discover() inspects more plugins than it has workers", async () => {
  await withFolder(async (folder) => {
    const path = await buildPlugin(folder, "libbusbar_source_0.so", { manifest: manifestOf("x") });
    for (let index = 1; index < 10; index++) {
      await Deno.copyFile(path, join(folder, `libbusbar_source_${index}.so`));
    }
    const result = await discover([folder], { host: HOST, concurrency: 3 });
    assert.equal(result.plugins[0]?.path, path);
    assert.equal(result.problems.length, 9);
  });
});

Deno.test("defaultDirectories() are plugins/ beside the binary and its own folder", () => {
  assert.deepEqual(defaultDirectories("/opt/busbar/busbar"), [
    "/opt/busbar/plugins",
    "/opt/busbar",
  ]);
});
