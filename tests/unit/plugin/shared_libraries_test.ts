import assert from "node:assert/strict";
import { join } from "node:path";
import { type Inspection, inspectPlugin } from "../../../src/plugin/inspect.ts";
import {
  checkOneGoRuntime,
  checkPreloads,
  checkSonames,
  preloadNames,
  throwProblems,
} from "../../../src/plugin/shared_libraries.ts";
import { assertRefused, buildPlugin, HOST, manifestOf, run, withFolder } from "./fixtures.ts";

/** A library with SONAME libshared.so.1 in `folder`, its contents told apart by `mark`. */
async function shared(folder: string, mark: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const source = join(folder, "shared.c");
  await Deno.writeTextFile(source, `int ${mark};`);
  await run(
    folder,
    "gcc",
    "-shared",
    "-fPIC",
    "-Wl,-soname,libshared.so.1",
    "-o",
    "libshared.so.1",
    source,
  );
  await Deno.remove(source);
  return join(folder, "libshared.so.1");
}

/** Builds `name`, which needs libshared.so.1, into a folder of its own, and inspects it. */
async function needing(folder: string, name: string, library: string): Promise<Inspection> {
  const home = join(folder, name);
  const manifest = manifestOf(name);
  const args = ["-Wl,--no-as-needed", library, "-Wl,-rpath,$ORIGIN"];
  await buildPlugin(home, `libbusbar_source_${name}.so`, { manifest, args });
  await Deno.writeTextFile(join(home, "manifest.json"), JSON.stringify(manifest));
  return await inspectPlugin(home, { host: HOST });
}

Deno.test("checkPreloads() names the plugin and the library that no preload provides", async () => {
  await withFolder(async (folder) => {
    const library = await shared(join(folder, "lib"), "a");
    const inspection = await needing(folder, "x", library);
    const [problem, ...more] = await checkPreloads([inspection], []);
    assert.deepEqual(more, []);
    assert.equal(problem?.code, "MissingLibrary");
    assert.match(
      problem.message,
      /^Cannot load plugin "x": library "libshared\.so\.1", needed by "libbusbar_source_x\.so", is missing: .*plugins\.preload is empty; install it or add its path to plugins\.preload$/,
    );
    const other = await buildPlugin(folder, "libother.so");
    assert.match(
      (await checkPreloads([inspection], [other]))[0]?.message ?? "",
      /plugins\.preload provides "libother\.so"/,
    );
    assert.deepEqual(await checkPreloads([inspection], [other, library]), []);
    assert.deepEqual(await preloadNames([library]), new Set(["libshared.so.1"]));
    await assertRefused(preloadNames([join(folder, "none.so")]), "NotFound", /no such file/);
  });
});

Deno.test("checkSonames() reports two plugins that bring different libraries of one name", async () => {
  await withFolder(async (folder) => {
    const a = await needing(folder, "a", await shared(join(folder, "a"), "one"));
    const b = await needing(folder, "b", await shared(join(folder, "b"), "two"));
    assert.deepEqual([a.verdict.problems, b.verdict.problems], [[], []]);
    const [problem] = await checkSonames([a, b]);
    assert.equal(problem?.code, "SonameConflict");
    assert.match(
      problem.message,
      /^Cannot load plugins "a" and "b" into one cell: each brings its own "libshared\.so\.1"/,
    );
    await Deno.copyFile(join(folder, "a/libshared.so.1"), join(folder, "b/libshared.so.1"));
    assert.deepEqual(await checkSonames([a, b]), []);
  });
});

Deno.test("checkOneGoRuntime() reports the second plugin with a Go runtime", async () => {
  await withFolder(async (folder) => {
    const inspections: Inspection[] = [];
    for (
      const [name, code] of [["a", "int _cgo_topofstack;"], ["b", "int plain;"], [
        "c",
        "int x_cgo_init;",
      ]] as const
    ) {
      const path = await buildPlugin(folder, `libbusbar_source_${name}.so`, {
        manifest: manifestOf(name),
        code,
      });
      inspections.push(await inspectPlugin(path, { host: HOST }));
    }
    assert.deepEqual(checkOneGoRuntime(inspections.slice(0, 2)), []);
    const problems = checkOneGoRuntime(inspections);
    assert.deepEqual(problems.map(({ code }) => code), ["TwoGoRuntimes"]);
    assert.match(problems[0]?.message ?? "", /^Cannot load plugins "a" and "c" into one cell/);
    assert.throws(() => throwProblems(problems), /PluginError: Cannot load plugins "a" and "c"/);
    throwProblems([]);
  });
});
