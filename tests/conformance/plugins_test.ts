/**
 * Every plugin and every SDK example of this repository passes every check. Checks that run no code of the plugin are made in this
 * process, since starting one for each would take most of the time; tests/e2e/conformance_test.ts starts them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT, statOrNothing } from "../../scripts/lib/files.ts";
import { STATIC_CHECKS, staticFinding } from "../../src/conformance/static_child.ts";
import { listChecks, testPlugin } from "../../src/conformance/suite.ts";
import { inspectPlugin } from "../../src/plugin/inspect.ts";
import { hasArrow } from "../support/arrow.ts";
import { buildExample, projectFolders } from "../support/projects.ts";

const native = (await listChecks()).map(({ name }) => name)
  .filter((name) => !STATIC_CHECKS.some((check) => check.name === name));

for (const folder of await projectFolders()) {
  Deno.test(`${folder} passes every check`, async () => {
    // Without Arrow it was not built.
    if (folder === "plugins/parquet_archive" && !await hasArrow()) return;
    const path = await buildExample(folder);
    const plugin = await inspectPlugin(path);
    const file = join(PROJECT, folder, "conformance.json");
    const fixtures = await statOrNothing(file) ? { fixtures: file } : {};
    const failed: string[] = [];
    for (const { name: check, kinds } of STATIC_CHECKS) {
      for (const component of kinds ? plugin.manifest!.components : [undefined]) {
        const named = component && { component: component.name };
        const { verdict, seen } = await staticFinding({
          plugin: path,
          check,
          ...named,
          ...fixtures,
        });
        if (verdict === "failed") failed.push(`${component?.name ?? "file"} ${check}: ${seen}`);
      }
    }
    const { outcomes } = await testPlugin(plugin, {
      seed: 1,
      patterns: native,
      jobs: navigator.hardwareConcurrency,
      valgrind: true,
      ...fixtures,
    });
    for (const { check, component, verdict, seen } of outcomes) {
      if (verdict === "failed") failed.push(`${component?.name} ${check}: ${seen}`);
    }
    assert.deepEqual(failed, []);
    assert.ok(outcomes.filter(({ verdict }) => verdict === "passed").length > 10);
  });
}
