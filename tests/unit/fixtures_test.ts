import assert from "node:assert/strict";
import { join } from "node:path";
import { PluginError } from "../../src/plugin/errors.ts";
import { inspectPlugin } from "../../src/plugin/inspect.ts";
import { preloadNames } from "../../src/plugin/shared_libraries.ts";
import { PROJECT, run } from "../../scripts/lib/files.ts";
import { buildFixtures, fixture } from "../fixtures/build.ts";
import { STATIC_FAULTS } from "../fixtures/static_faults.ts";

/** The reasons why the inspection of a plugin refuses it, one after the other; empty where it does not. */
async function reasonsAgainst(path: string): Promise<string> {
  try {
    return (await inspectPlugin(path)).verdict.problems.map(({ reason }) => reason).join("; ");
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    return error.message;
  }
}

/** Whether a library can be loaded into a process with this environment. */
async function loads(library: string, env: Record<string, string>): Promise<boolean> {
  const args = ["eval", "--no-config", "Deno.dlopen(Deno.args[0], {})", library];
  return (await new Deno.Command(Deno.execPath(), { args, env, stderr: "null" }).output()).success;
}

Deno.test("inspectPlugin() refuses each static fault that can be seen without loading, and says why", async (t) => {
  await buildFixtures();
  for (const { name, refused, says } of STATIC_FAULTS) {
    if (refused !== "inspection") continue;
    await t.step(name, async () => {
      assert.match(await reasonsAgainst((await fixture(name)).folder), says!);
    });
  }
});

Deno.test("inspectPlugin() accepts each static fixture whose fault shows only when it is loaded", async (t) => {
  await buildFixtures();
  for (const { name, refused } of STATIC_FAULTS) {
    if (refused === "inspection") continue;
    await t.step(name, async () => {
      assert.equal(await reasonsAgainst((await fixture(name)).folder), "");
    });
  }
});

Deno.test("inspectPlugin() accepts the plugins probe and faulty", async () => {
  for (const name of ["probe", "faulty"]) {
    const { folder } = await fixture(name);
    assert.equal(await reasonsAgainst(folder), "");
    assert.equal((await inspectPlugin(folder)).name, name);
  }
});

Deno.test("inspectPlugin() accepts a plugin whose missing library is preloaded", async () => {
  const { folder } = await fixture("needs-preloaded-library");
  const provided = await preloadNames([(await fixture("shared-rt")).libraryPath]);
  assert.deepEqual((await inspectPlugin(folder, { provided })).verdict.problems, []);
});

Deno.test("inspectPlugin() runs no code of the plugin, whose constructor would leave a file", async () => {
  const { folder, libraryPath } = await fixture("constructor-marker");
  const temporary = await Deno.makeTempDir();
  const marker = join(temporary, "marker");
  const isThere = () => Deno.stat(marker).then(() => true, () => false);
  try {
    Deno.env.set("BUSBAR_FIXTURE_MARKER", marker);
    assert.equal(await reasonsAgainst(folder), "");
    assert.equal(await reasonsAgainst(libraryPath), "");
    assert.equal(await isThere(), false);

    // The same file, loaded, does leave it: the check above is worth something.
    assert.equal(await loads(libraryPath, { BUSBAR_FIXTURE_MARKER: marker }), true);
    assert.equal(await isThere(), true);
  } finally {
    Deno.env.delete("BUSBAR_FIXTURE_MARKER");
    await Deno.remove(temporary, { recursive: true });
  }
});

Deno.test("an undefined symbol is found by loading with LD_BIND_NOW, and by nothing before", async () => {
  const { libraryPath } = await fixture("symbol-undefined");
  assert.equal(await loads(libraryPath, {}), true);
  assert.equal(await loads(libraryPath, { LD_BIND_NOW: "1" }), false);
});

Deno.test("the plugins that need a preloaded library load with it, and not without", async (t) => {
  const runtime = (await fixture("shared-rt")).libraryPath;
  for (const name of ["needs-preloaded-library", "needs-preloaded-symbol"]) {
    await t.step(name, async () => {
      const { libraryPath } = await fixture(name);
      assert.equal(await loads(libraryPath, { LD_BIND_NOW: "1" }), false);
      assert.equal(await loads(libraryPath, { LD_BIND_NOW: "1", LD_PRELOAD: runtime }), true);
    });
  }
});

Deno.test("the components of probe and faulty do what their config says", async (t) => {
  const temporary = await Deno.makeTempDir();
  const include = `-I${join(PROJECT, "ffi/include")}`;
  const flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", include];
  try {
    for (const plugin of ["probe", "faulty"]) {
      const { libraryPath } = await fixture(plugin);
      const program = join(temporary, plugin);
      const source = join(PROJECT, `tests/fixtures/plugins/test_${plugin}.c`);
      await run(["gcc", ...flags, source, "-o", program, "-ldl", "-lpthread"]);
      const { code, stdout } = await new Deno.Command(program, {
        args: [libraryPath],
        cwd: temporary,
        stderr: "null",
      }).output();
      const results = new TextDecoder().decode(stdout).matchAll(/^(not )?ok (\w+).*$/gm);
      for (const [line, not, name] of results) {
        await t.step(`${plugin}: ${name!.replaceAll("_", " ")}`, () => assert.ok(!not, line));
      }
      assert.equal(code, 0);
    }
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
});
