import { dirname, join, resolve } from "node:path";
import semver from "semver";
import { unreadable } from "./byte_source.ts";
import { ContentsCache } from "./contents.ts";
import { PluginError, type PluginProblem, problemOf } from "./errors.ts";
import { isLibraryName, isMarked } from "./folder.ts";
import { readHostFacts } from "./host_facts.ts";
import {
  type GoodInspection,
  type Inspection,
  type InspectOptions,
  inspectPlugin,
  isGood,
  refusalOf,
} from "./inspect.ts";
import { LibraryResolver } from "./libraries.ts";

/** How plugins are looked for. */
export interface DiscoverOptions extends InspectOptions {
  /** Folders that need not exist, searched after the others. */
  optional?: readonly string[];
  /**
   * How many plugins are inspected at once.
   * @default 4
   */
  concurrency?: number;
}

/** What was found. */
export interface Discovery {
  /** Plugins that may be loaded, one per name, sorted by name. */
  readonly plugins: readonly GoodInspection[];
  /** Plugins that are refused or shadowed, and folders that cannot be read. */
  readonly problems: readonly PluginProblem[];
  /** What was read of refused plugins, for those that show it. */
  readonly refused: readonly Inspection[];
  /** How many libraries and folders are not marked as plugins. */
  readonly skipped: number;
}

/** The folders searched when none is configured: `plugins/` beside the binary, and the binary's own. */
export function defaultDirectories(executable: string): string[] {
  const folder = dirname(executable);
  return [join(folder, "plugins"), folder];
}

/**
 * Finds and inspects the plugins in `directories`: folders with a `manifest.json` and a library, and files whose name marks them.
 * Of several plugins of one name the highest version stays, of equal versions the one found first. Never throws for a bad plugin.
 */
export async function discover(
  directories: readonly string[],
  options: DiscoverOptions = {},
): Promise<Discovery> {
  const { optional = [], concurrency = 4 } = options;
  const libraries = options.libraries ?? new LibraryResolver();
  const host = options.host ?? await readHostFacts(libraries);
  const shared = { ...options, host, libraries, cache: options.cache ?? new ContentsCache() };

  const found: { candidates: string[]; problems: PluginProblem[]; skipped: number } = {
    candidates: [],
    problems: [],
    skipped: 0,
  };
  const seen = new Set<string>();
  for (const directory of [...directories, ...optional]) {
    try {
      const real = await Deno.realPath(directory);
      if (seen.has(real)) continue;
      seen.add(real);
      const { candidates, skipped } = await search(resolve(directory));
      found.candidates.push(...candidates);
      found.skipped += skipped;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && optional.includes(directory)) continue;
      found.problems.push(problemOf(unreadable(directory, error)));
    }
  }
  const results = await mapLimited(found.candidates, concurrency, async (path) => {
    try {
      return await inspectPlugin(path, shared);
    } catch (error) {
      if (error instanceof PluginError) return error;
      throw error;
    }
  });
  return sortOut(results, found);
}

function sortOut(
  results: readonly (Inspection | PluginError)[],
  found: { problems: PluginProblem[]; skipped: number },
): Discovery {
  const problems = [...found.problems];
  const refused: Inspection[] = [];
  const byName = new Map<string, GoodInspection>();
  for (const result of results) {
    if (result instanceof PluginError) problems.push(problemOf(result));
    else if (!isGood(result)) {
      refused.push(result);
      problems.push(problemOf(refusalOf(result)));
    } else {
      const rival = byName.get(result.name);
      const wins = !rival ||
        semver.compareBuild(result.manifest.version, rival.manifest.version) > 0;
      if (wins) byName.set(result.name, result);
      if (rival) problems.push(wins ? shadowed(rival, result) : shadowed(result, rival));
    }
  }
  const plugins = [...byName.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  return { plugins, problems, refused, skipped: found.skipped };
}

function shadowed(loser: GoodInspection, winner: GoodInspection): PluginProblem {
  const [ours, theirs] = [loser.manifest.version, winner.manifest.version];
  const why = ours !== theirs
    ? `has the newer version ${theirs}`
    : loser.digest === winner.digest
    ? "is the same file and was found first"
    : "has the same version, other contents, and was found first";
  return {
    code: "DuplicatePlugin",
    path: loser.path,
    message:
      `Cannot use plugin "${loser.name}" ${ours} from "${loser.path}": the one in "${winner.path}" ${why}; ` +
      "remove one of them",
  };
}

/** The plugins that `directory` may hold, sorted by path, and how many entries are none. */
export async function search(
  directory: string,
): Promise<{ candidates: string[]; skipped: number }> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  const candidates: string[] = [];
  let skipped = 0;
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(directory, entry.name);
    if (isMarked(entry.name)) candidates.push(path);
    else if (entry.name.startsWith(".")) continue;
    else if (await isPluginFolder(path, entry)) candidates.push(path);
    else if (entry.isDirectory || isLibraryName(entry.name)) skipped++;
  }
  return { candidates, skipped };
}

/** Whether `path` is a folder that holds a manifest or a marked library. */
async function isPluginFolder(path: string, entry: Deno.DirEntry): Promise<boolean> {
  if (entry.isFile) return false;
  try {
    for await (const { name } of Deno.readDir(path)) {
      if (name === "manifest.json" || isMarked(name)) return true;
    }
  } catch {
    // A folder that cannot be listed, or a link or socket that is no folder, marks itself as nothing.
  }
  return false;
}

/** `work` on every item, `limit` at a time; results in the order of the items. */
async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  async function run(): Promise<void> {
    for (const [index, item] of queue) results[index] = await work(item);
  }
  await Promise.all(Array.from({ length: limit }, run));
  return results;
}
