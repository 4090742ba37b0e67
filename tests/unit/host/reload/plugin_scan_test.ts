import assert from "node:assert/strict";
import { join } from "node:path";
import { PluginScan } from "../../../../src/host/reload/plugin_scan.ts";

const FILE = "libbusbar_source_one.so";
const QUIET_MS = 100;

interface Bench {
  folder: string;
  write: (text: string, name?: string) => Promise<void>;
  /** One scan after the quiet time: whether something has changed, and the names of what is unsettled. */
  scan: (afterMs?: number) => Promise<[boolean, string[]]>;
}

/** Scans a folder where a whole plugin is a file that says "good". */
async function withScan(test: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  let now = 0;
  const write: Bench["write"] = (text, name = FILE) => Deno.writeTextFile(join(folder, name), text);
  try {
    await write("good");
    const scan = await PluginScan.start({
      directories: () => [folder],
      paths: () => [],
      quietMs: QUIET_MS,
      isWhole: async (path) => (await Deno.readTextFile(path)).startsWith("good"),
      now: () => now,
    });
    await test({
      folder,
      write,
      scan: async (afterMs = QUIET_MS) => {
        now += afterMs;
        const { changed, unsettled } = await scan.scan();
        return [changed, [...unsettled].map((path) => path.slice(folder.length + 1))];
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("scan() finds nothing where nothing has changed", async () => {
  await withScan(async ({ scan }) => {
    assert.deepEqual(await scan(), [false, []]);
  });
});

Deno.test("scan() waits until a change has been quiet, and what was written is whole", async () => {
  await withScan(async ({ write, scan }) => {
    await write("half");
    assert.deepEqual(await scan(), [false, [FILE]]);
    await write("still half");
    assert.deepEqual(await scan(), [false, [FILE]]);
    assert.deepEqual(await scan(), [false, [FILE]]);
    await write("good and new");
    assert.deepEqual(await scan(), [false, [FILE]]);
    assert.deepEqual(await scan(QUIET_MS / 2), [false, [FILE]]);
    assert.deepEqual(await scan(QUIET_MS / 2), [true, []]);
    assert.deepEqual(await scan(), [false, []]);
  });
});

Deno.test("scan() gives up to wait for what stays broken", async () => {
  await withScan(async ({ write, scan }) => {
    await write("broken");
    let scans = 0;
    while (!(await scan())[0]) assert.ok(++scans < 20);
    assert.ok(scans >= 3);
    assert.deepEqual(await scan(), [false, []]);
  });
});

Deno.test("scan() sees new files, files that go, and one that replaces another of the same size and time", async () => {
  await withScan(async ({ folder, write, scan }) => {
    const second = "libbusbar_reaction_two.so";
    await write("good", second);
    assert.deepEqual(await scan(), [false, [second]]);
    assert.deepEqual(await scan(), [true, []]);
    await Deno.remove(join(folder, second));
    assert.deepEqual(await scan(), [false, [second]]);
    assert.deepEqual(await scan(), [true, []]);
    const { mtime, atime } = await Deno.stat(join(folder, FILE));
    await write("GOOD", "aside");
    await Deno.utime(join(folder, "aside"), atime!, mtime!);
    await Deno.rename(join(folder, "aside"), join(folder, FILE));
    assert.deepEqual(await scan(), [false, [FILE]]);
  });
});
