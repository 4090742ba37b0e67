import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../scripts/lib/files.ts";
import { runProgram } from "../support/c_program.ts";
import { follow } from "../support/tutorial.ts";

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_debugging_" });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("docs/debugging.md: its commands find the faults", () =>
  withFolder((folder) =>
    follow(join(PROJECT, "docs/debugging.md"), { folder, bin: join(PROJECT, "dist") })
  ));

Deno.test("docs/security-plugins.md: systemd knows every directive of the unit", () =>
  withFolder(async (folder) => {
    const page = await Deno.readTextFile(join(PROJECT, "docs/security-plugins.md"));
    const unit = /^```ini\n([\s\S]*?)^```$/m.exec(page)?.[1];
    assert.ok(unit !== undefined);
    const file = join(folder, "busbar.service");
    await Deno.writeTextFile(
      file,
      unit.replace("/opt/busbar/busbar", join(PROJECT, "dist/busbar")),
    );
    const { stdout, stderr } = await runProgram("systemd-analyze", ["verify", "--man=no", file]);
    // Of other units on this machine it may say what it likes.
    const faults = (stdout + stderr).split("\n").filter((line) => line.includes("busbar.service"));
    assert.deepEqual(faults, []);
    await Deno.writeTextFile(file, unit.replace("PrivateTmp", "PrivateTemp"));
    const wrong = await runProgram("systemd-analyze", ["verify", "--man=no", file]);
    assert.match(wrong.stdout + wrong.stderr, /busbar.service.*PrivateTemp/);
  }));
