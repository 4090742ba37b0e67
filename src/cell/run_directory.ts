import { join } from "node:path";

/** How to start a process of this same program. */
export interface Executable {
  command: string;
  /** Before the program's own arguments. */
  args: string[];
  /** Lets later hosts remove the copy, unless this process still runs. */
  release(): void;
}

const IN_USE = "in_use";

/**
 * Keeps this program startable while its file is replaced: a hard link of it, else a copy, as
 * `<dataDirectory>/run/<build>/busbar`. Those of other builds are removed unless a host uses them. From sources, it is
 * `deno run` on them.
 */
export async function prepareExecutable(dataDirectory: string, build: string): Promise<Executable> {
  if (!Deno.build.standalone) {
    const main = new URL("../../main.ts", import.meta.url).pathname;
    return { command: Deno.execPath(), args: ["run", "-A", "--quiet", main], release() {} };
  }
  const root = join(dataDirectory, "run");
  const folder = join(root, build);
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const release = holdFolder(folder);
  try {
    const command = join(folder, "busbar");
    if (!await exists(command)) await linkOrCopy(command);
    await removeUnused(root, build);
    return { command, args: [], release };
  } catch (cause) {
    release();
    throw new Error(
      `Cannot keep a copy of this program in "${folder}": ${(cause as Error).message}; ` +
        "free the disk or choose another data_dir",
      { cause },
    );
  }
}

/** Where the running program's file can be read, even after its path was replaced or removed. */
export const SELF = "/proc/self/exe";

/** Links the running program's file to `path`; copies where a link cannot be. Atomic: `path` is whole or absent. */
export async function linkOrCopy(path: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    if (!await linkSelf(temporary)) {
      await Deno.copyFile(SELF, temporary);
      await Deno.chmod(temporary, 0o700);
    }
    await Deno.rename(temporary, path);
  } finally {
    await Deno.remove(temporary).catch(() => {});
  }
}

async function linkSelf(path: string): Promise<boolean> {
  try {
    await Deno.link(Deno.execPath(), path);
    // The file at the program's path may be a newer one already.
    const [self, link] = await Promise.all([Deno.stat(SELF), Deno.stat(path)]);
    if (self.dev === link.dev && self.ino === link.ino) return true;
    await Deno.remove(path);
  } catch {
    // Another disk, a file of another owner, or no file any more: a copy does as well.
  }
  return false;
}

function holdFolder(folder: string): () => void {
  const file = Deno.openSync(join(folder, IN_USE), { create: true, write: true, mode: 0o600 });
  file.lockSync(false);
  return () => file.close();
}

/** Removes folders under `root`, besides `keep`, that no process holds. */
export async function removeUnused(root: string, keep: string): Promise<void> {
  for await (const { name } of Deno.readDir(root)) {
    if (name === keep) continue;
    const folder = join(root, name);
    if (await isHeld(folder)) continue;
    // Another host may be removing it too.
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

async function isHeld(folder: string): Promise<boolean> {
  try {
    using file = await Deno.open(join(folder, IN_USE), { write: true });
    return !file.tryLockSync(true);
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
