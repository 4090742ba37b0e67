import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/schema.ts";
import { findPlugins, pluginRules } from "../../../src/host/plugin_set.ts";
import { pluginViews } from "../../../src/host/plugin_views.ts";
import { fixture } from "../../fixtures/build.ts";

async function settings(plugins: Record<string, unknown> = {}): Promise<Config["plugins"]> {
  return (await loadConfig({ text: JSON.stringify({ plugins }), env: {} })).config.plugins;
}

Deno.test("findPlugins() searches the folders given first, then the configured ones", async () => {
  const { folder } = await fixture("probe");
  const { folder: fault } = await fixture("static-good");
  const set = await findPlugins(await settings({ directories: [join(fault, "..")] }), [
    join(folder, ".."),
  ]);
  assert.deepEqual(set.directories, [join(folder, ".."), join(fault, "..")]);
  const names = set.plugins.map(({ name }) => name);
  assert.ok(names.includes("probe") && names.includes("static-good"), names.join());
  const refused = set.refused.map(({ name }) => name);
  assert.ok(refused.includes("hash-unknown") && !names.includes("hash-unknown"), refused.join());
});

Deno.test("findPlugins() takes the plugin that plugins.use.NAME.path names", async () => {
  const { libraryPath } = await fixture("probe");
  const set = await findPlugins(
    await settings({ directories: [], use: { probe: { path: libraryPath } } }),
  );
  assert.deepEqual(set.plugins.map(({ name }) => name), ["probe"]);
  assert.deepEqual(set.problems, []);
});

Deno.test("findPlugins() refuses a path that holds another plugin, or none", async () => {
  const { libraryPath } = await fixture("probe");
  const use = { other: { path: libraryPath }, absent: { path: "/nowhere/libbusbar_source_x.so" } };
  const set = await findPlugins(await settings({ directories: [], use }));
  assert.deepEqual(set.plugins, []);
  const messages = set.problems.map(({ message }) => message).join("\n");
  assert.match(messages, /as plugin "other": its manifest names it "probe"/);
  assert.match(messages, /"\/nowhere\/libbusbar_source_x\.so"/);
});

Deno.test("pluginRules() counts preloaded libraries as there", async () => {
  const { libraryPath } = await fixture("shared-rt");
  const { folder } = await fixture("needs-preloaded-library");
  const path = { "needs-preloaded-library": { path: folder } };
  const without = await findPlugins(await settings({ directories: [], use: path }));
  assert.deepEqual(without.plugins, []);
  const set = await findPlugins(
    await settings({ directories: [], use: path, preload: [libraryPath] }),
  );
  assert.deepEqual(set.plugins.map(({ name }) => name), ["needs-preloaded-library"]);
  assert.deepEqual(set.rules.preload, [libraryPath]);
});

Deno.test("pluginRules() finds a preloaded library by its bare name, and says which it cannot", async () => {
  const rules = await pluginRules(
    await settings({ preload: ["libc.so.6", "libnothing.so.1", "/etc/passwd"] }),
  );
  assert.match(rules.preload.join(), /^\/.*libc\.so\.6$/);
  assert.deepEqual(rules.faults.map(({ path }) => path), [
    ["plugins", "preload", 1],
    ["plugins", "preload", 2],
  ]);
  assert.match(rules.faults[0]!.message, /Cannot preload "libnothing\.so\.1": /);
});

Deno.test("pluginViews() shows usable plugins and refused ones with their problems", async () => {
  const { folder } = await fixture("probe");
  const unknown = await fixture("hash-unknown");
  const use = {
    "probe": { path: folder, enabled: false },
    "hash-unknown": { path: unknown.folder },
  };
  const config = await settings({ directories: [], use });
  const views = pluginViews(await findPlugins(config), {
    use: config.use,
    usedBy: (name) => name === "probe" ? ["web"] : [],
  });
  assert.deepEqual(views.map(({ name }) => name), ["builtin", "probe", "hash-unknown"]);
  const [builtin, probe, refused] = views;
  assert.equal(builtin?.path, null);
  assert.ok(builtin?.components.some(({ name }) => name === "generate"));
  assert.equal(probe?.path, folder);
  assert.match(probe?.digest ?? "", /^[0-9a-f]{64}$/);
  assert.equal(probe?.enabled, false);
  assert.equal(probe?.target, Deno.build.target);
  assert.deepEqual(probe?.usedBy, ["web"]);
  assert.equal(refused?.verdict.ok, false);
  assert.equal(refused?.verdict.problems[0]?.code, "AbiMismatch");
  assert.deepEqual(refused?.usedBy, []);
});

Deno.test("pluginViews() shows a plugin of which nothing could be read, but not a missing folder", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const broken = join(folder, "libbusbar_source_broken.so");
    await Deno.writeTextFile(broken, "no library");
    const set = await findPlugins(await settings(), [folder, join(folder, "missing")]);
    assert.equal(set.problems.length, 2);
    const views = pluginViews(set);
    assert.deepEqual(views.map(({ name }) => name), ["builtin", "libbusbar_source_broken.so"]);
    assert.equal(views[1]?.version, null);
    assert.equal(views[1]?.verdict.problems[0]?.code, "NotALibrary");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
