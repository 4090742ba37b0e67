/** The driver itself: what becomes of it, and of its results, when a plugin does its worst. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Driver, type DriverResult } from "../../src/conformance/driver.ts";
import { buildFixtures } from "../fixtures/build.ts";
import { runProgram, withFolder } from "../support/c_program.ts";
import { PROJECT } from "../../scripts/lib/files.ts";

const PROGRAM = join(PROJECT, "dist/conformance/busbar_conformance");

/** Runs checks on the source of the faulty plugin. */
async function runFaulty(
  config: Record<string, unknown>,
  { checks = ["statuses"], timeoutMs = 10_000 } = {},
): Promise<DriverResult[]> {
  const { libraryPath } = (await buildFixtures()).get("faulty")!;
  return await withFolder(async (folder) => {
    const driver = await Driver.open(folder);
    const plan = {
      library: libraryPath,
      component: { kind: "source", name: "source", replayable: true },
      checks,
      seed: 1,
      timeout_ms: timeoutMs,
      config: JSON.stringify(config),
    };
    return await driver.run({ plan, folder, timeoutMs: timeoutMs * checks.length });
  });
}

/** The message of a check that is to fail. */
async function failure(config: Record<string, unknown>, timeoutMs?: number): Promise<string> {
  const [result] = await runFaulty(config, timeoutMs === undefined ? {} : { timeoutMs });
  assert.equal(result!.status, "fail", JSON.stringify(result));
  return result!.message;
}

Deno.test("a crash is a result that names the signal and the call", async () => {
  assert.equal(await failure({ fault: "segv", in: "poll" }), "Crashed with SIGSEGV in poll");
  assert.equal(await failure({ fault: "abort", in: "start" }), "Crashed with SIGABRT in start");
  assert.equal(await failure({ fault: "kill", in: "create" }), "Crashed with SIGKILL in create");
});

Deno.test("a call of exit() is a result that names the code and the call", async () => {
  assert.match(await failure({ fault: "exit", in: "stop" }), /^Called exit\(\d+\) in stop$/);
});

Deno.test("a call that does not return is a result that names the call", async () => {
  assert.equal(
    await failure({ fault: "hang", in: "poll" }, 500),
    "No answer from poll within 500 ms",
  );
});

Deno.test("a status that a call must not answer is a result that names both", async () => {
  assert.match(await failure({ fault: "status-unknown", in: "poll" }), /^poll answered .* status/);
});

Deno.test("each check of a plan runs in a process of its own, so one after a crash still runs", async () => {
  const results = await runFaulty({ fault: "segv", in: "poll" }, {
    checks: ["sequences", "root-table", "pending"],
  });
  assert.deepEqual(results.map(({ check, status }) => [check, status]), [
    ["sequences", "fail"],
    ["root-table", "pass"],
    ["pending", "not_applicable"],
  ]);
});

Deno.test("a plan that is wrong is refused, and the driver says what is wrong", async () => {
  await withFolder(async (folder) => {
    const plan = join(folder, "plan.json");
    const result = join(folder, "result");
    const run = async (text: string) => {
      await Deno.writeTextFile(plan, text);
      return await runProgram(PROGRAM, ["run", plan, result]);
    };
    const parts = { library: "/x.so", work: folder, component: { kind: "source", name: "x" } };
    const wrong: [string, RegExp][] = [
      ["{", /plan\.json: not a JSON object/],
      ["{}", /library: not a text/],
      [JSON.stringify({ ...parts, component: { kind: "sink", name: "x" } }), /kind: sink/],
      [JSON.stringify({ ...parts, checks: ["no-such"] }), /there is no check "no-such"/],
    ];
    for (const [text, message] of wrong) {
      const { success, stderr } = await run(text);
      assert.equal(success, false, text);
      assert.match(stderr, message);
    }
  });
});
