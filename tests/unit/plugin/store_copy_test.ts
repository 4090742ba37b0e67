import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { type GoodInspection, inspectPlugin, requireGood } from "../../../src/plugin/inspect.ts";
import { checkExecutableFolder, storePlugin } from "../../../src/plugin/store_copy.ts";
import { listTree, MAX_TREE_BYTES, treeDigest } from "../../../src/plugin/tree.ts";
import { assertRefused, buildPlugin, HOST, manifestOf, run, withFolder } from "./fixtures.ts";

const FILE = "libbusbar_source_x.so";

/** A plugin in its own folder under `root`, with a file and a link beside it. */
async function plugin(root: string): Promise<GoodInspection> {
  const folder = join(root, "x");
  const manifest = manifestOf("x");
  await buildPlugin(folder, FILE, { manifest });
  await Deno.writeTextFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  await Deno.mkdir(join(folder, "data"));
  await Deno.writeTextFile(join(folder, "data/words.txt"), "words");
  await Deno.symlink("words.txt", join(folder, "data/link.txt"));
  return requireGood(await inspectPlugin(folder, { host: HOST }));
}

Deno.test("storePlugin() copies the whole folder under its digest, read-only, and can be repeated", async () => {
  await withFolder(async (root) => {
    const dataDir = join(root, "store");
    const inspection = await plugin(root);
    const stored = await storePlugin(inspection, { dataDir });
    assert.equal(stored.folder, join(dataDir, "plugins/x", stored.digest));
    assert.equal(stored.library, join(stored.folder, FILE));
    assert.match(stored.digest, /^[0-9a-f]{64}$/);
    assert.equal(await Deno.readTextFile(join(stored.folder, "data/link.txt")), "words");
    assert.ok((await Deno.lstat(join(stored.folder, "data/link.txt"))).isFile);
    assert.equal((await Deno.stat(stored.library)).mode! & 0o777, 0o555);
    assert.equal((await Deno.stat(join(stored.folder, "manifest.json"))).mode! & 0o777, 0o444);
    const before = (await Deno.stat(stored.library)).ino;
    assert.deepEqual(await storePlugin(inspection, { dataDir }), stored);
    assert.equal((await Deno.stat(stored.library)).ino, before);
    assert.deepEqual(
      (await Array.fromAsync(Deno.readDir(dirname(stored.folder)))).map(({ name }) => name),
      [
        stored.digest,
      ],
    );
  });
});

Deno.test("storePlugin() copies a flat file alone, and what it stored can be inspected", async () => {
  await withFolder(async (root) => {
    const path = await buildPlugin(root, FILE, { manifest: manifestOf("x") });
    const inspection = requireGood(await inspectPlugin(path, { host: HOST }));
    const stored = await storePlugin(inspection, { dataDir: join(root, "store") });
    const names = (await Array.fromAsync(Deno.readDir(stored.folder))).map(({ name }) => name);
    assert.deepEqual(names, [basename(path)]);
    assert.equal((await inspectPlugin(stored.library, { host: HOST })).digest, inspection.digest);
  });
});

Deno.test("storePlugin() replaces a damaged copy", async () => {
  await withFolder(async (root) => {
    const dataDir = join(root, "store");
    const inspection = await plugin(root);
    const stored = await storePlugin(inspection, { dataDir });
    await Deno.remove(join(stored.folder, "data/words.txt"));
    assert.deepEqual(await storePlugin(inspection, { dataDir }), stored);
    assert.equal(await Deno.readTextFile(join(stored.folder, "data/words.txt")), "words");
    assert.equal((await Array.fromAsync(Deno.readDir(dirname(stored.folder)))).length, 1);
  });
});

Deno.test("storePlugin() called twice at once gives one good copy", async () => {
  await withFolder(async (root) => {
    const dataDir = join(root, "store");
    const inspection = await plugin(root);
    const stored = await Promise.all(
      Array.from({ length: 4 }, () => storePlugin(inspection, { dataDir })),
    );
    assert.equal(new Set(stored.map(({ library }) => library)).size, 1);
    assert.equal((await Array.fromAsync(Deno.readDir(join(dataDir, "plugins/x")))).length, 1);
  });
});

Deno.test("storePlugin() refuses a library that changed since it was inspected", async () => {
  await withFolder(async (root) => {
    const inspection = await plugin(root);
    await buildPlugin(join(root, "x"), FILE, { manifest: manifestOf("x"), code: "int other;" });
    const dataDir = join(root, "store");
    await assertRefused(
      storePlugin(inspection, { dataDir }),
      "StoreFailed",
      /its files changed since it was inspected/,
    );
    assert.deepEqual(await Array.fromAsync(Deno.readDir(join(dataDir, "plugins/x"))), []);
  });
});

Deno.test("storePlugin() says where it cannot write", async () => {
  await withFolder(async (root) => {
    const inspection = await plugin(root);
    await Deno.writeTextFile(join(root, "file"), "");
    const stored = storePlugin(inspection, { dataDir: join(root, "file") });
    await assertRefused(
      stored,
      "StoreFailed",
      /^Cannot copy plugin "x" from ".*" to ".*\/file\/plugins\/x\//,
    );
  });
});

Deno.test("listTree() refuses links that lead out or in circles, pipes, and too much", async () => {
  await withFolder(async (root) => {
    const folder = join(root, "x");
    const bad = join(folder, "bad");
    await Deno.mkdir(folder);
    for (const target of ["/etc/passwd", "..", "../x-beside"]) {
      await Deno.writeTextFile(join(root, "x-beside"), "");
      await Deno.symlink(target, bad);
      await assertRefused(
        listTree(folder),
        "UnsafeFolder",
        /the link ".*\/bad" leads out of it, to "/,
      );
      await Deno.remove(bad);
    }
    await Deno.symlink(".", bad);
    await assertRefused(listTree(folder), "UnsafeFolder", /leads in a circle/);
    await Deno.remove(bad);
    await Deno.symlink("nowhere", bad);
    await assertRefused(listTree(folder), "NotFound", /./);
    await Deno.remove(bad);
    await run(folder, "mkfifo", "bad");
    await assertRefused(listTree(folder), "UnsafeFolder", /neither a file nor a folder/);
    await Deno.remove(bad);
    await Deno.writeTextFile(bad, "");
    await Deno.truncate(bad, MAX_TREE_BYTES + 1);
    await assertRefused(listTree(folder), "UnsafeFolder", /more than 1073741824 bytes/);
  });
});

Deno.test("treeDigest() depends on names, contents and executable bits, and not on times", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "a");
    const digest = async () => await treeDigest(await listTree(folder));
    await Deno.writeTextFile(file, "one");
    const first = await digest();
    await Deno.utime(file, 1, 1);
    assert.equal(await digest(), first);
    await Deno.chmod(file, 0o755);
    const executable = await digest();
    await Deno.rename(file, join(folder, "b"));
    const renamed = await digest();
    await Deno.writeTextFile(join(folder, "b"), "two");
    assert.equal(new Set([first, executable, renamed, await digest()]).size, 4);
  });
});

Deno.test("checkExecutableFolder() reports a folder on a file system mounted noexec", async () => {
  await withFolder(async (folder) => {
    const real = await Deno.realPath(folder);
    const root = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n";
    const mount = (options: string, point = real) =>
      `${root}30 22 0:5 / ${point} ${options} shared:1 - tmpfs tmpfs rw\n`;
    await checkExecutableFolder(folder);
    await checkExecutableFolder(folder, { mounts: mount("rw,nosuid") });
    await checkExecutableFolder(folder, { mounts: mount("rw,noexec", `${real}-other`) });
    const covered = mount("rw,noexec") + `31 22 0:6 / ${real} rw - tmpfs tmpfs rw\n`;
    await checkExecutableFolder(folder, { mounts: covered });
    const refused = checkExecutableFolder(folder, { mounts: mount("rw,noexec,relatime") });
    await assertRefused(
      refused,
      "NoExecFolder",
      /is mounted noexec; mount it with exec, or choose another data_dir/,
    );
    const spaced = join(real, "a b");
    await Deno.mkdir(spaced);
    const escaped = mount("noexec", spaced.replace(" ", "\\040"));
    await assertRefused(
      checkExecutableFolder(spaced, { mounts: escaped }),
      "NoExecFolder",
      /a b" is mounted noexec/,
    );
    await assertRefused(checkExecutableFolder(join(folder, "none")), "NotFound", /no such file/);
  });
});
