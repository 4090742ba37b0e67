import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../scripts/lib/files.ts";
import { CHECKPOINT_BEFORE_ACCEPTANCE, compileMutant } from "./lib/mutant.ts";

interface Outcome {
  code: number;
  // deno-lint-ignore no-explicit-any
  result: any;
  stderr: string;
}

/** Runs the soak script for a few seconds. */
async function soak(...args: string[]): Promise<Outcome> {
  const script = join(PROJECT, "tests/soak/soak.ts");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--frozen", "--config", join(PROJECT, "deno.json"), script, ...args],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const problems = new TextDecoder().decode(stderr);
  assert.notEqual(text, "", `it printed no result:\n${problems}`);
  return { code, result: JSON.parse(text), stderr: problems };
}

Deno.test("soak finds nothing lost, double or out of order after a few seconds of kills", async () => {
  const { code, result, stderr } = await soak("--minutes", "0.15", "--seed", "1");
  assert.equal(code, 0, stderr);
  const keys = ["events", "faults", "lost", "duplicates", "reordered", "reloads", "longest_gap_ms"];
  assert.deepEqual(Object.keys(result), keys);
  assert.ok(result.events > 0);
  assert.ok(Object.values(result.faults).length > 0);
});

Deno.test("soak reports the losses of a busbar that takes checkpoints before acceptance", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_mutant_" });
  try {
    const busbar = await compileMutant(join(folder, "tree"), CHECKPOINT_BEFORE_ACCEPTANCE);
    const { code, result } = await soak(
      ...["--busbar", busbar, "--minutes", "0.2", "--seed", "1", "--out", join(folder, "out")],
      ...["--faults", "reaction_again,reaction_delays,cell_kill"],
    );
    assert.equal(code, 1);
    assert.ok(result.lost > 0, JSON.stringify(result));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
