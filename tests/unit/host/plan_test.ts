import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "yaml";
import { loadConfig } from "../../../src/config/load.ts";
import { makePlan, usedPlugins } from "../../../src/host/plan.ts";
import { PLUGINS } from "../../fixtures/build.ts";
import { buildFixtures } from "../../fixtures/build.ts";

async function planOf(config: Record<string, unknown>, pluginDirs: string[] = [PLUGINS]) {
  await buildFixtures();
  const loaded = await loadConfig({ path: "busbar.yaml", text: stringify(config), env: {} });
  return await makePlan(loaded, pluginDirs);
}

function pipeline(use: string, more: Record<string, unknown> = {}) {
  return {
    sources: { s: { use } },
    reactions: { r: { use: "builtin/discard", from: ["s"] } },
    ...more,
  };
}

Deno.test("makePlan() resolves pipelines of found and built-in plugins", async () => {
  const plan = await planOf({
    pipelines: { a: pipeline("probe/numbers"), b: pipeline("probe/numbers", { enabled: false }) },
  });
  assert.deepEqual(plan.diagnostics, []);
  assert.deepEqual(plan.pipelines.map(({ id, enabled }) => [id, enabled]), [["a", true], [
    "b",
    false,
  ]]);
  assert.deepEqual([...usedPlugins(plan.pipelines)].sort(), ["builtin", "probe"]);
  assert.deepEqual([...usedPlugins(plan.pipelines.slice(1))], []);
});

Deno.test("makePlan() points at a plugin that is not there", async () => {
  const { diagnostics } = await planOf({ pipelines: { a: pipeline("prob/numbers") } });
  const [found] = diagnostics;
  assert.equal(found?.severity, "error");
  assert.equal(found?.path, "pipelines.a.sources.s.use");
  assert.equal(found?.line, 5);
  assert.match(found?.suggestion ?? "", /"probe"/);
});

Deno.test("makePlan() warns about a source that cannot replay", async () => {
  const { diagnostics } = await planOf({ pipelines: { a: pipeline("probe/chatty") } });
  const found = diagnostics.find(({ message }) => /cannot replay/.test(message));
  assert.equal(found?.severity, "warning");
  assert.match(
    found?.message ?? "",
    /^Source "s" \(probe\/chatty\) of pipeline "a" cannot replay: /,
  );
});

Deno.test("makePlan() does not warn about a source that has a buffer", async () => {
  const sources = { s: { use: "probe/chatty", buffer: { type: "disk" } } };
  const { diagnostics } = await planOf({ pipelines: { a: pipeline("", { sources }) } });
  assert.deepEqual(diagnostics, []);
});

Deno.test("makePlan() points at a preloaded library that is not there", async () => {
  const { diagnostics } = await planOf({
    plugins: { preload: [join(PLUGINS, "none.so")] },
    pipelines: { a: pipeline("builtin/generate") },
  });
  const found = diagnostics.find(({ path }) => path === "plugins.preload[0]");
  assert.equal(found?.severity, "error");
  assert.match(found?.message ?? "", /none\.so/);
});
