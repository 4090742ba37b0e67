import assert from "node:assert/strict";
import { join } from "node:path";
import { hashFiles, listFiles, run, whenChanged, writeAtomic } from "../../../scripts/lib/files.ts";

async function inFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("writeAtomic() leaves a file alone that has the bytes, and no temporary file behind", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a/b.txt");
    await writeAtomic(path, "one");
    const first = (await Deno.stat(path)).ino;
    await writeAtomic(path, "one");
    assert.equal((await Deno.stat(path)).ino, first);
    await writeAtomic(path, "two", { mode: 0o755 });
    assert.equal(await Deno.readTextFile(path), "two");
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o755);
    assert.deepEqual(await listFiles(folder), [path]);
  });
});

Deno.test("whenChanged() runs again for a new key and for an output that is gone or touched", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "out");
    let runs = 0;
    const step = (key: string) =>
      whenChanged({ stamp: join(folder, "stamp"), key, outputs: [output] }, async () => {
        await Deno.writeTextFile(output, `${key} ${++runs}`);
      });
    assert.equal(await step("a"), true);
    assert.equal(await step("a"), false);
    assert.equal(await step("b"), true);
    await Deno.writeTextFile(output, "by someone else");
    assert.equal(await step("b"), true);
    await Deno.remove(output);
    assert.equal(await step("b"), true);
    assert.equal(await step("b"), false);
  });
});

Deno.test("whenChanged() does not remember a step that failed", async () => {
  await inFolder(async (folder) => {
    const options = { stamp: join(folder, "stamp"), key: "a", outputs: [] };
    await assert.rejects(whenChanged(options, () => Promise.reject(new Error("no"))), /no/);
    assert.equal(await whenChanged(options, () => Promise.resolve()), true);
  });
});

Deno.test("hashFiles() sees names and contents, not the folder they are in", async () => {
  await inFolder(async (folder) => {
    const hash = async (root: string, name: string, text: string) => {
      await writeAtomic(join(folder, root, name), text);
      return await hashFiles(join(folder, root), [join(folder, root, name)]);
    };
    const first = await hash("one", "a", "text");
    assert.equal(await hash("two", "a", "text"), first);
    assert.notEqual(await hash("one", "b", "text"), first);
    assert.notEqual(await hash("one", "a", "texts"), first);
  });
});

Deno.test("run() names the command that fails and what it said", async () => {
  await assert.rejects(
    run(["sh", "-c", "echo why >&2; exit 3"]),
    /Cannot run "sh -c .*": exit code 3\nwhy$/,
  );
  await assert.rejects(run(["busbar-no-such-command"]), /Cannot run "busbar-no-such-command"/);
});
