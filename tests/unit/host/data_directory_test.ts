import assert from "node:assert/strict";
import { join } from "node:path";
import { prepareDataDirectory } from "../../../src/host/data_directory.ts";
import { StartError } from "../../../src/host/start_error.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_data_" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("prepareDataDirectory() makes the folder for this user alone", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a/b");
    assert.deepEqual(await prepareDataDirectory(path), []);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
    assert.deepEqual(await prepareDataDirectory(path), [], "a second time");
    assert.deepEqual(await Array.fromAsync(Deno.readDir(path)), [], "nothing is left in it");
  }));

Deno.test("prepareDataDirectory() warns about a folder that others can open", () =>
  withFolder(async (folder) => {
    await Deno.chmod(folder, 0o755);
    const [warning] = await prepareDataDirectory(folder);
    assert.match(warning ?? "", /is open to other users \(mode 755\): chmod 700 it$/);
  }));

Deno.test("prepareDataDirectory() refuses what is no folder", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "");
    for (const path of [file, join(file, "below")]) {
      await assert.rejects(prepareDataDirectory(path), (error) => {
        assert.ok(error instanceof StartError);
        assert.match(error.message, /^Cannot use data folder ".*": .*choose another data_dir$/);
        return true;
      });
    }
  }));
