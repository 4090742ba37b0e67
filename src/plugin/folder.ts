import { basename, dirname, join } from "node:path";
import { unreadable } from "./byte_source.ts";
import { PluginError } from "./errors.ts";

/** Where the parts of a plugin lie; absolute paths. */
export interface Location {
  /** The library of a flat plugin, else the folder. */
  readonly path: string;
  readonly library: string;
  /** The folder that belongs to the plugin alone; undefined for a flat file. */
  readonly folder: string | undefined;
}

const MARKED =
  /^libbusbar_(source|processor|reaction|bootstrap|service|hook|plugin)_.+\.(so|dylib|dll)$/;
const LIBRARY = /\.(so|dylib|dll)$/;

/** Whether a file name says that the file is a plugin. */
export function isMarked(fileName: string): boolean {
  return MARKED.test(fileName);
}

/** Whether a file name says that the file is a library that a plugin could be. */
export function isLibraryName(fileName: string): boolean {
  return LIBRARY.test(fileName);
}

/**
 * Finds the library of the plugin at `path`, a file or a folder. A file that is the one library beside a `manifest.json` stands for
 * its folder. Throws a PluginError when nothing is there, or a folder is not one of a plugin.
 */
export async function locate(path: string): Promise<Location> {
  const isFolder = await stat(path).then(({ isDirectory }) => isDirectory);
  const folder = isFolder ? path : dirname(path);
  const { candidates, hasManifest } = await look(folder, { strict: isFolder });
  if (!isFolder) {
    const own = hasManifest && candidates.length === 1 && candidates[0] === basename(path);
    return own
      ? { path: folder, library: path, folder }
      : { path, library: path, folder: undefined };
  }
  if (!hasManifest) {
    throw new PluginError(
      "ManifestNotFound",
      `Cannot inspect "${path}": it has no manifest.json; put the copy of the plugin's manifest there`,
      { path },
    );
  }
  const [library, second] = candidates;
  if (library === undefined) {
    throw new PluginError(
      "NotALibrary",
      `Cannot inspect "${path}": it has a manifest.json, but no library`,
      { path },
    );
  }
  if (second !== undefined) {
    const names = candidates.map((name) => `"${name}"`).join(", ");
    throw new PluginError(
      "NotALibrary",
      `Cannot inspect "${path}": it has several libraries (${names}); name the plugin's libbusbar_KIND_NAME.so, ` +
        "and only that one",
      { path },
    );
  }
  return { path, library: join(path, library), folder: path };
}

/** What a folder holds: the marked libraries, or, where none is marked, all of them; sorted. */
async function look(
  folder: string,
  options: { strict: boolean },
): Promise<{ candidates: string[]; hasManifest: boolean }> {
  let names: string[];
  try {
    names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  } catch (error) {
    // A file can be read in a folder that cannot be listed.
    if (!options.strict) return { candidates: [], hasManifest: false };
    throw unreadable(folder, error);
  }
  const marked = names.filter(isMarked).sort();
  const candidates = marked.length > 0 ? marked : names.filter(isLibraryName).sort();
  return { candidates, hasManifest: names.includes("manifest.json") };
}

async function stat(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}
