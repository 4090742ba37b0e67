import assert from "node:assert/strict";
import { join } from "node:path";
import { linkOrCopy, prepareExecutable, removeUnused } from "../../../src/cell/run_directory.ts";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("linkOrCopy() gives a whole, executable copy of the running program", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "program");
    await linkOrCopy(path);
    const { code } = await new Deno.Command(path, { args: ["--version"], stdout: "null" }).output();
    assert.equal(code, 0);
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(names, ["program"], "nothing half-written is left");
  });
});

Deno.test("removeUnused() removes what no process holds, and keeps what one does", async () => {
  await withFolder(async (folder) => {
    for (const name of ["mine", "held", "left", "bare"]) await Deno.mkdir(join(folder, name));
    for (const name of ["held", "left"]) await Deno.writeTextFile(join(folder, name, "in_use"), "");
    // A lock does not hold against its own process's other files on every system, so another process takes it.
    const holder = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `Deno.openSync(Deno.args[0], { write: true }).lockSync(false);
        await Deno.stdout.write(new Uint8Array(1)); await Deno.stdin.read(new Uint8Array(1));`,
      ]
        .concat(join(folder, "held", "in_use")),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    try {
      const reader = holder.stdout.getReader();
      await reader.read();
      await removeUnused(folder, "mine");
      const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
      assert.deepEqual(names.sort(), ["held", "mine"]);
      await reader.cancel();
    } finally {
      await holder.stdin.close();
      await holder.status;
    }
  });
});

Deno.test("prepareExecutable() runs the sources with the same Deno when nothing is compiled", async () => {
  const { command, args, release } = await prepareExecutable("/nowhere", "development");
  release();
  assert.equal(command, Deno.execPath());
  assert.match(args.at(-1) ?? "", /\/main\.ts$/);
});
