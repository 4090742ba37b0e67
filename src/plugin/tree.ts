import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { unreadable } from "./byte_source.ts";
import { PluginError } from "./errors.ts";
import { isWithin } from "./paths.ts";

/** A file of a plugin's folder, with links followed. */
export interface TreeFile {
  /** Path inside the folder, with "/". */
  readonly relative: string;
  /** Absolute path of the contents. */
  readonly path: string;
  readonly executable: boolean;
  /** In bytes. */
  readonly size: number;
}

/** The most bytes that a plugin's folder may hold. */
export const MAX_TREE_BYTES = 1024 * 1024 * 1024;
const MAX_FILES = 10_000;

/**
 * The files of a plugin: those of a folder, sorted by path, or one flat file. Symbolic links are followed where they stay inside.
 * Throws a PluginError `UnsafeFolder` for links that leave it or lead in a circle, pipes, sockets and devices, and too much of it.
 */
export async function listTree(path: string): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  let bytes = 0;

  function refuse(at: string, reason: string): PluginError {
    return new PluginError("UnsafeFolder", `Cannot copy plugin files from "${path}": ${reason}`, {
      path: at,
    });
  }

  function add(relative: string, at: string, info: Deno.FileInfo): void {
    if (!info.isFile) throw refuse(at, `"${at}" is neither a file nor a folder`);
    bytes += info.size;
    if (bytes > MAX_TREE_BYTES) {
      throw refuse(at, `its files have more than ${MAX_TREE_BYTES} bytes`);
    }
    if (files.length === MAX_FILES) throw refuse(at, `it has more than ${MAX_FILES} files`);
    files.push({
      relative,
      path: at,
      executable: ((info.mode ?? 0) & 0o111) !== 0,
      size: info.size,
    });
  }

  async function walk(folder: string, relative: string, above: readonly string[]): Promise<void> {
    for await (const { name } of Deno.readDir(folder)) {
      const [at, inside] = [join(folder, name), relative === "" ? name : `${relative}/${name}`];
      const real = await Deno.realPath(at);
      if (!isWithin(real, root)) throw refuse(at, `the link "${at}" leads out of it, to "${real}"`);
      const info = await Deno.stat(real);
      if (!info.isDirectory) add(inside, real, info);
      else if (above.includes(real)) throw refuse(at, `the link "${at}" leads in a circle`);
      else await walk(real, inside, [...above, real]);
    }
  }

  let root = path;
  try {
    root = await Deno.realPath(path);
    const info = await Deno.stat(root);
    if (info.isDirectory) await walk(root, "", [root]);
    else add(basename(path), root, info);
  } catch (error) {
    throw error instanceof PluginError ? error : unreadable(path, error);
  }
  return files.sort((a, b) => a.relative < b.relative ? -1 : 1);
}

/** SHA-256, in hex, over each file's path, whether it is executable, its size and its contents. */
export async function treeDigest(files: readonly TreeFile[]): Promise<string> {
  const tree = createHash("sha256");
  for (const { relative, path, executable } of files) {
    const contents = createHash("sha256");
    let size = 0;
    try {
      using file = await Deno.open(path);
      for await (const chunk of file.readable) {
        contents.update(chunk);
        size += chunk.length;
      }
    } catch (error) {
      throw unreadable(path, error);
    }
    tree.update(`${relative}\0${executable ? "x" : "-"}\0${size}\0${contents.digest("hex")}\n`);
  }
  return tree.digest("hex");
}
