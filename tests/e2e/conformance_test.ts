/** `busbar plugin test` and `busbar plugin bench` as they are run. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { withFolder } from "../support/c_program.ts";
import { runBusbar } from "../support/busbar.ts";
import { fixture } from "../fixtures/build.ts";
import { buildExample } from "../support/projects.ts";

interface JsonReport {
  ok: boolean;
  counts: { passed: number; failed: number };
  checks: { check: string; verdict: string; seen: string; reproduce: string; severity: string }[];
}

Deno.test("plugin test passes a good plugin, and writes a report for a CI server", () =>
  withFolder(async (folder) => {
    const plugin = await buildExample("ffi/examples/word_count/c");
    const file = join(folder, "report.xml");
    const args = ["plugin", "test", plugin, "--no-valgrind", "--format", "junit", "--output", file];
    const { code, stdout, stderr } = await runBusbar(args, {});
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^word-count-c \d+\.\d+\.\d+, seed 1\n\nThe file\n {2}ok {5}symbols: /);
    assert.match(stdout, /\n\nprocessor count\n/);
    assert.match(stdout, /\n\d+ passed, 0 failed, 0 warnings, \d+ not applicable\n$/);
    const xml = await Deno.readTextFile(file);
    assert.match(xml, /<testsuite name="word-count-c\.count" tests="\d+" failures="0"/);
  }));

Deno.test("plugin test reports what is wrong, with a command that shows it again", async () => {
  const { libraryPath } = await fixture("minor-newer");
  const some = ["--check", "compat*", "--check", "create-valid"];
  const { code, stdout } = await runBusbar(["plugin", "test", libraryPath, ...some, "--json"], {});
  assert.equal(code, 1);
  const report: JsonReport = JSON.parse(stdout);
  const failed = report.checks.find(({ check }) => check === "compatibility")!;
  assert.equal(failed.verdict, "failed");
  assert.match(failed.seen, /requires_minor differs/);
  const native = report.checks.find(({ check }) => check === "create-valid")!;
  assert.deepEqual([native.verdict, report.ok], ["not applicable", false]);
  const [program, ...words] = failed.reproduce.split(" ");
  assert.equal(program, "busbar");
  const again = await runBusbar(words, {});
  assert.equal(again.code, 1);
  assert.match(again.stdout, /\n {2}FAILED compatibility: /);
  assert.match(again.stdout, /\n0 passed, 1 failed, 0 warnings, 0 not applicable\n$/);
});

Deno.test("plugin test says so when there is nothing to check", async () => {
  const plugin = await buildExample("ffi/examples/word_count/c");
  const refused = async (args: string[], reason: RegExp) => {
    const { code, stderr } = await runBusbar(["plugin", "test", ...args], {});
    assert.deepEqual([code, reason.test(stderr)], [2, true], stderr);
  };
  await refused([], /name a plugin's library or folder/);
  await refused([plugin, "--check", "no-such"], /Cannot run check "no-such": there is none/);
  await refused([plugin, "--component", "x"], /"word-count-c" has "count"/);
  await refused([plugin, "--fixtures", "/none.json"], /Cannot read fixtures "\/none\.json"/);
  await refused([plugin, "--seed", "-1"], /Expected a whole number/);
});

Deno.test("plugin bench measures a component and compares it with doing nothing", async () => {
  const plugin = await buildExample("ffi/examples/pass_through/c");
  const args = ["plugin", "bench", plugin, "--seconds", "0.2", "--payload", "64"];
  const { code, stdout, stderr } = await runBusbar([...args, "--json"], {});
  assert.equal(code, 0, stderr);
  const result = JSON.parse(stdout);
  assert.deepEqual(result.component, { kind: "processor", name: "pass" });
  assert.ok(result.events > 0 && result.ns_per_event > 0 && result.baseline.ns_per_event > 0);
  const text = await runBusbar(args, {});
  assert.match(text.stdout, /^pass-through-c processor pass\nmeasured +[\d,]+ events in /);
});
