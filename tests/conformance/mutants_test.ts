/**
 * The checks that run a plugin's code: the model plugin passes all of them, and for each there is a mutant of it that fails that
 * check and no other.
 *
 * A mutant differs from the model in one component, so only that one is tried again. `memory` is Valgrind's, which takes seconds:
 * it is run under Valgrind for the model and for its own mutant, and as a plain check for the others.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { hashFiles, listFiles, PROJECT, whenChanged } from "../../scripts/lib/files.ts";
import { makeConfigs } from "../../src/conformance/configs.ts";
import { Driver, type DriverResult } from "../../src/conformance/driver.ts";
import { NO_FIXTURE, readFixtures } from "../../src/conformance/fixtures.ts";
import { makePlan } from "../../src/conformance/plan.ts";
import type { Check } from "../../src/conformance/report.ts";
import { testPlugin } from "../../src/conformance/suite.ts";
import { type GoodInspection, inspectPlugin, requireGood } from "../../src/plugin/inspect.ts";
import { withFolder } from "../support/c_program.ts";

interface Mutant {
  mutant: string;
  check: string;
  component: string;
}

const FOLDER = join(PROJECT, "tests/fixtures/mutants");
const BUILD_FILE = join(FOLDER, "build.json");
const FIXTURES = join(FOLDER, "conformance.json");
const MUTANTS: Mutant[] = JSON.parse(await Deno.readTextFile(join(FOLDER, "mutants.json")));
const SEED = 1;
const TIMEOUT_MS = 10_000;
const SUITE = { seed: SEED, patterns: [], fixtures: FIXTURES, jobs: 2, valgrind: true };

/** Builds the model, or one of its mutants, where something has changed; `sanitizer` is a compiler flag. */
async function build(mutant?: string, sanitizer?: string): Promise<GoodInspection> {
  const name = `${mutant ?? "model"}${sanitizer ?? ""}`;
  const outDir = join(PROJECT, "dist/fixtures/mutants", name);
  const inputs = await Promise.all(
    [FOLDER, join(PROJECT, "ffi/include"), join(PROJECT, "src/project")].map(listFiles),
  );
  const folder = join(outDir, "model");
  await whenChanged({
    stamp: join(PROJECT, "dist/.stamps/mutants", name),
    key: await hashFiles(PROJECT, inputs.flat()),
    outputs: () => listFiles(folder),
  }, async () => {
    const { cflags }: { cflags: string[] } = JSON.parse(await Deno.readTextFile(BUILD_FILE));
    if (mutant !== undefined) cflags.push(`-DMUTANT=mutant_${mutant}`);
    const ldflags = sanitizer === undefined ? [] : [sanitizer];
    cflags.push(...ldflags);
    await buildPlugin({ folder: FOLDER, outDir, overrides: { build: { cflags, ldflags } } });
  });
  return requireGood(await inspectPlugin(folder));
}

/** Runs all checks of one component, or only those that are `wanted`. */
async function runAll(
  plugin: GoodInspection,
  name: string,
  checks: readonly Check[],
): Promise<DriverResult[]> {
  return await withFolder(async (folder) => {
    const driver = await Driver.open(folder);
    const component = plugin.manifest.components.find((component) => component.name === name)!;
    const fixture = (await readFixtures("", FIXTURES))?.components[name] ?? NO_FIXTURE;
    const given = [...(fixture.config ? [fixture.config] : []), ...fixture.configs];
    const configs = await makeConfigs({ schema: component.config_schema, given }, SEED);
    const wanted = checks.filter(({ kinds }) => kinds?.includes(component.kind));
    const settings = { seed: SEED, timeoutMs: TIMEOUT_MS, httpUrl: undefined };
    // Lives in all orders are made a hundred times only where they are tried on real plugins.
    const plan = {
      ...makePlan({ plugin, component, fixture, configs, ...settings }, wanted),
      orders_ms: 20,
    };
    const own = join(folder, "run");
    await Deno.mkdir(own);
    return await driver.run({ plan, folder: own, timeoutMs: TIMEOUT_MS * wanted.length });
  });
}

async function nativeChecks(): Promise<Check[]> {
  return await withFolder(async (folder) => await (await Driver.open(folder)).list());
}

Deno.test("the model plugin passes every check there is, also under Valgrind", async () => {
  const plugin = await build();
  const checks = await nativeChecks();
  const idle = new Set(checks.map(({ name }) => name));
  const failed: unknown[] = [];
  for (const { name } of plugin.manifest.components) {
    for (const result of await runAll(plugin, name, checks)) {
      if (result.status === "fail") failed.push({ component: name, ...result });
      if (result.status === "pass") idle.delete(result.check);
    }
  }
  const { outcomes } = await testPlugin(plugin, { ...SUITE, patterns: ["memory"] });
  failed.push(...outcomes.filter(({ verdict }) => verdict !== "passed"));
  assert.deepEqual(failed, []);
  assert.deepEqual([...idle], [], "checks that apply to no component of the model");
});

Deno.test("there is a mutant for every check that runs a plugin's code", async () => {
  const checks = (await nativeChecks()).map(({ name }) => name);
  const covered = new Set(MUTANTS.map(({ check }) => check));
  assert.deepEqual(checks.filter((name) => !covered.has(name)), []);
  assert.deepEqual([...covered].filter((name) => !checks.includes(name)), []);
});

Deno.test("each mutant fails its check and no other", async (t) => {
  const checks = await nativeChecks();
  const results = new Map<Mutant, DriverResult[]>();
  const queue = MUTANTS.filter(({ check }) => check !== "memory").values();
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, async () => {
    for (const mutant of queue) {
      results.set(mutant, await runAll(await build(mutant.mutant), mutant.component, checks));
    }
  }));
  for (const [{ mutant, check, component }, lines] of results) {
    await t.step(`${mutant} fails ${check} of ${component}`, () => {
      const failed = lines.filter(({ status }) => status === "fail");
      const seen = failed.map(({ check, message }) => `${check}: ${message}`).join("\n");
      assert.deepEqual(failed.map(({ check }) => check), [check], seen);
    });
  }
});

Deno.test("a memory error is found by Valgrind", async () => {
  for (const { mutant, component } of MUTANTS.filter(({ check }) => check === "memory")) {
    const plugin = await build(mutant);
    const { outcomes } = await testPlugin(plugin, { ...SUITE, patterns: ["memory"], component });
    assert.equal(outcomes[0]!.verdict, "failed", mutant);
    assert.match(outcomes[0]!.seen, /Invalid|uninitialised/);
    const others = (await nativeChecks()).filter(({ name }) => name !== "memory");
    const failed = (await runAll(plugin, component, others)).filter(({ status }) =>
      status === "fail"
    );
    assert.deepEqual(failed, [], mutant);
  }
});

Deno.test("a library with AddressSanitizer is run with it", async () => {
  const flag = "-fsanitize=address";
  for (const { mutant, component } of MUTANTS.filter(({ check }) => check === "memory")) {
    const options = { ...SUITE, patterns: ["memory"], component };
    const good = await testPlugin(await build(undefined, flag), options);
    assert.deepEqual([good.outcomes[0]!.verdict, good.outcomes[0]!.seen], ["passed", ""]);
    const bad = await testPlugin(await build(mutant, flag), options);
    assert.equal(bad.outcomes[0]!.verdict, "failed");
    assert.match(bad.outcomes[0]!.seen, /AddressSanitizer: heap-buffer-overflow/);
  }
});
