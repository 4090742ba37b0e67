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

/** A kill shows the fault only right after a checkpoint: how many it takes is chance, and no run of a few seconds has many. */
const SEEDS = 10;

Deno.test("soak reports the losses of a busbar that takes checkpoints before acceptance", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_mutant_" });
  try {
    const busbar = await compileMutant(join(folder, "tree"), CHECKPOINT_BEFORE_ACCEPTANCE);
    const results: unknown[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { code, result } = await soak(
        ...["--busbar", busbar, "--minutes", "0.2", "--out", join(folder, `out_${seed}`)],
        ...["--seed", String(seed), "--faults", "reaction_again,reaction_delays,cell_kill"],
      );
      if (result.lost > 0) return assert.equal(code, 1);
      results.push(result);
    }
    assert.fail(`nothing was lost: ${JSON.stringify(results)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
