import { dirname, join } from "node:path";
import { PluginError } from "./errors.ts";
import type { GoodInspection } from "./inspect.ts";
import { digestOf } from "./contents.ts";
import { FileSource, unreadable } from "./byte_source.ts";
import { listTree, treeDigest, type TreeFile } from "./tree.ts";

/** A plugin in the store, from where it is loaded. */
export interface StoredPlugin {
  readonly folder: string;
  readonly library: string;
  /** SHA-256 over names, executable bits and contents of all files, in hex. */
  readonly digest: string;
}

/**
 * Copies the plugin's folder, or its flat file, to `<dataDir>/plugins/<name>/<tree digest>/`, and returns where it lies. A copy
 * that is there and intact is used; a damaged one is replaced. Files become read-only. Throws a PluginError when the plugin has
 * changed since it was inspected, holds what must not be copied, or cannot be written.
 */
export async function storePlugin(
  inspection: GoodInspection,
  options: { dataDir: string },
): Promise<StoredPlugin> {
  const { name, folder, library, path } = inspection;
  const files = await listTree(folder ?? library);
  const digest = await treeDigest(files);
  const home = join(options.dataDir, "plugins", name);
  const target = join(home, digest);
  const relative = library.slice((folder ?? dirname(library)).length + 1);
  const stored = { folder: target, library: join(target, relative), digest };
  try {
    if (await isIntact(target, digest)) {
      await checkUnchanged(stored.library, inspection);
      return stored;
    }
    await Deno.mkdir(home, { recursive: true, mode: 0o700 });
    const fresh = await Deno.makeTempDir({ dir: home, prefix: ".new-" });
    try {
      await copyFiles(files, fresh);
      if (await treeDigest(await listTree(fresh)) !== digest) throw changed(inspection);
      await checkUnchanged(join(fresh, relative), inspection);
      await place(fresh, target, digest);
    } finally {
      await Deno.remove(fresh, { recursive: true }).catch(ignoreMissing);
    }
  } catch (error) {
    if (error instanceof PluginError) throw error;
    throw new PluginError(
      "StoreFailed",
      `Cannot copy plugin "${name}" from "${path}" to "${target}": ${(error as Error).message}`,
      { path: target, cause: error },
    );
  }
  return stored;
}

/** Moves `fresh` to `target`. Another process may have put the same plugin there meanwhile; a damaged copy gives way. */
async function place(fresh: string, target: string, digest: string): Promise<void> {
  try {
    await Deno.rename(fresh, target);
  } catch (error) {
    if (await isIntact(target, digest)) return;
    // Renamed and then removed, so that a process that has the damaged files mapped keeps them.
    const aside = `${fresh}-damaged`;
    await Deno.rename(target, aside).catch(() => {
      throw error;
    });
    await Deno.rename(fresh, target);
    await Deno.remove(aside, { recursive: true });
  }
}

async function copyFiles(files: readonly TreeFile[], folder: string): Promise<void> {
  for (const { relative, path, executable } of files) {
    const copy = join(folder, relative);
    await Deno.mkdir(dirname(copy), { recursive: true });
    await Deno.copyFile(path, copy);
    await Deno.chmod(copy, executable ? 0o555 : 0o444);
  }
}

async function isIntact(folder: string, digest: string): Promise<boolean> {
  try {
    return await treeDigest(await listTree(folder)) === digest;
  } catch (error) {
    if (error instanceof PluginError) return false;
    throw error;
  }
}

async function checkUnchanged(library: string, inspection: GoodInspection): Promise<void> {
  using source = await FileSource.open(library);
  if (await digestOf(source) !== inspection.digest) throw changed(inspection);
}

function changed({ name, path }: GoodInspection): PluginError {
  return new PluginError(
    "StoreFailed",
    `Cannot copy plugin "${name}" from "${path}" to the store: its files changed since it was inspected; try again`,
    { path },
  );
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/**
 * Throws a PluginError `NoExecFolder` when libraries in `folder`, which must exist, cannot be loaded since its file system is mounted
 * noexec. `mounts` is the text of /proc/self/mountinfo; without one (as on macOS) nothing is checked.
 */
export async function checkExecutableFolder(
  folder: string,
  options: { mounts?: string } = {},
): Promise<void> {
  let mounts = options.mounts;
  let real: string;
  try {
    real = await Deno.realPath(folder);
    mounts ??= await Deno.readTextFile("/proc/self/mountinfo");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && Deno.build.os !== "linux") return;
    throw unreadable(folder, error);
  }
  const mount = mountOf(real, mounts);
  if (!mount?.options.includes("noexec")) return;
  throw new PluginError(
    "NoExecFolder",
    `Cannot load plugins from "${folder}": "${mount.point}" is mounted noexec; mount it with exec, or choose another data_dir`,
    { path: folder },
  );
}

/** The mount that `path` is on: the longest mount point above it, of equal ones the last mounted. */
function mountOf(path: string, mounts: string): { point: string; options: string[] } | undefined {
  let best: { point: string; options: string[] } | undefined;
  for (const line of mounts.split("\n")) {
    const fields = line.split(" ");
    const [escaped, options] = [fields[4], fields[5]];
    if (escaped === undefined || options === undefined) continue;
    const point = escaped.replace(
      /\\([0-7]{3})/g,
      (_, octal: string) => String.fromCharCode(parseInt(octal, 8)),
    );
    const above = point === "/" || path === point || path.startsWith(`${point}/`);
    if (above && point.length >= (best?.point.length ?? 0)) {
      best = { point, options: options.split(",") };
    }
  }
  return best;
}
