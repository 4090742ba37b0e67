import { basename, dirname, join } from "node:path";
import type { Dependencies } from "./binary.ts";
import { corrupt, FileSource } from "./byte_source.ts";
import { dependenciesOf } from "./elf.ts";
import { PluginError } from "./errors.ts";
import { defaultFolders, multiarch, readLoaderCache, readLoaderConfig } from "./library_folders.ts";
import { isWithin } from "./paths.ts";

/** A needed library and where the loader would take it from. */
export interface FoundLibrary {
  /** As written in the library that needs it. */
  readonly name: string;
  readonly path: string;
  readonly soname: string | undefined;
}

/** A needed library that the loader would not find. */
export interface MissingLibrary {
  readonly name: string;
  /** File name of the library that needs it. */
  readonly neededBy: string;
  /** What was looked at, and what to do where that is known. */
  readonly reason: string;
}

/** What became of the libraries that a plugin needs, directly or through others. */
export interface ResolvedLibraries {
  readonly found: readonly FoundLibrary[];
  readonly missing: readonly MissingLibrary[];
}

/** Where to look; each defaults to what this machine's loader uses. */
export interface LibrarySearch {
  /** Folders of LD_LIBRARY_PATH. */
  libraryPath?: readonly string[];
  cacheFile?: string;
  configFile?: string;
  defaultFolders?: readonly string[];
}

/** A library whose needs are looked for. */
interface Job {
  readonly path: string;
  readonly needs: Dependencies;
  /** Search folders of the libraries that led here, which only the older RPATH hands down. */
  readonly inherited: readonly Place[];
  /** Whether it is among what is copied to the store. */
  readonly stored: boolean;
}

/** A folder or file to look at. */
interface Place {
  readonly path: string;
  /** It is given relative to a library that is copied to the store. */
  readonly moves: boolean;
}

const MAX_LIBRARIES = 512;

/**
 * Finds needed libraries as the dynamic loader would, running nothing. What it read of the machine's libraries is kept, so use
 * one for many plugins and a new one when installed libraries may have changed.
 */
export class LibraryResolver {
  readonly #search: LibrarySearch;
  readonly #libraryPath: readonly string[];
  readonly #dependencies = new Map<string, Promise<Dependencies | undefined>>();
  #installed: Promise<Map<string, string[]> | undefined> | undefined;
  #configured: Promise<string[]> | undefined;

  constructor(search: LibrarySearch = {}) {
    this.#search = search;
    this.#libraryPath = search.libraryPath ?? splitPath(Deno.env.get("LD_LIBRARY_PATH") ?? "");
  }

  /**
   * Resolves what `library` (with `needs` as read from it) needs. `unit` is the folder or file that is copied to the store as
   * one: what `$ORIGIN` leads to beyond it is not found after that. Names in `provided` are in the process already.
   */
  async resolve(
    library: string,
    needs: Dependencies,
    options: { unit?: string; provided?: ReadonlySet<string> } = {},
  ): Promise<ResolvedLibraries> {
    const { unit = library, provided = new Set<string>() } = options;
    const found: FoundLibrary[] = [];
    const missing: MissingLibrary[] = [];
    const seen = new Set<string>(needs.linkName === undefined ? [] : [needs.linkName]);
    const jobs: Job[] = [{ path: library, needs, inherited: [], stored: true }];
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      for (const name of job.needs.needed) {
        if (seen.has(name) || provided.has(name)) continue;
        seen.add(name);
        if (seen.size > MAX_LIBRARIES) {
          throw corrupt(library, `it needs more than ${MAX_LIBRARIES} libraries`);
        }
        const result = await this.#find(name, job, unit);
        if ("reason" in result) {
          missing.push({ name, neededBy: basename(job.path), reason: result.reason });
          continue;
        }
        const { path, needs } = result;
        found.push({ name, path, soname: needs.linkName });
        if (needs.linkName !== undefined) seen.add(needs.linkName);
        jobs.push({ path, needs, inherited: handedDown(job), stored: isWithin(path, unit) });
      }
    }
    return { found, missing };
  }

  /** The path of an installed library, such as "libc.so.6", for programs of this machine type. */
  async installed(name: string, machine: Dependencies["machine"]): Promise<string | undefined> {
    for (const path of await this.#installedPaths(name, machine)) {
      if ((await this.#read(path))?.machine === machine) return path;
    }
    return undefined;
  }

  async #find(
    name: string,
    job: Job,
    unit: string,
  ): Promise<{ path: string; needs: Dependencies } | { reason: string }> {
    const { machine } = job.needs;
    let reason = "it is in no folder that the loader searches";
    const places = name.includes("/") ? expand(name, job) : await this.#places(name, job);
    for (const { path, moves } of places) {
      const needs = await this.#read(path);
      if (!needs) continue;
      if (needs.machine !== machine) {
        reason = `"${path}" is for ${needs.machine}, not for ${machine}`;
      } else if (moves && !isWithin(path, unit)) {
        reason = `"${path}" stays behind when the plugin is copied to the store; put both into a ` +
          "folder of their own, with manifest.json";
      } else return { path, needs };
    }
    const beside = join(dirname(job.path), name);
    if (!places.some(({ path }) => path === beside) && await this.#read(beside)) {
      reason = `"${beside}" lies beside it, but its run path does not lead there; ` +
        "link it with -Wl,-rpath,'$ORIGIN'";
    }
    return { reason };
  }

  /** Where the loader would look for `name`, in its order. */
  async #places(name: string, job: Job): Promise<Place[]> {
    const fixed = (path: string) => ({ path, moves: false });
    const own = job.needs.runpath.flatMap((folder) => expand(folder, job));
    const folders = [
      ...(own.length === 0 ? handedDown(job) : []),
      ...this.#libraryPath.map(fixed),
      ...own,
    ];
    return [
      ...folders.map(({ path, moves }) => ({ path: join(path, name), moves })),
      ...(await this.#installedPaths(name, job.needs.machine)).map(fixed),
    ];
  }

  async #installedPaths(name: string, machine: Dependencies["machine"]): Promise<string[]> {
    this.#installed ??= readLoaderCache(this.#search.cacheFile ?? "/etc/ld.so.cache");
    const index = await this.#installed;
    const defaults = this.#search.defaultFolders ?? defaultFolders(machine);
    if (index) return [...index.get(name) ?? [], ...defaults.map((folder) => join(folder, name))];
    this.#configured ??= readLoaderConfig(this.#search.configFile ?? "/etc/ld.so.conf");
    return [...await this.#configured, ...defaults].map((folder) => join(folder, name));
  }

  #read(path: string): Promise<Dependencies | undefined> {
    let reading = this.#dependencies.get(path);
    if (!reading) this.#dependencies.set(path, reading = read(path));
    return reading;
  }
}

/** The dependencies of the library at `path`; undefined where the loader would look further. */
async function read(path: string): Promise<Dependencies | undefined> {
  try {
    using source = await FileSource.open(path);
    return await dependenciesOf(source);
  } catch (error) {
    if (error instanceof PluginError) return undefined;
    throw error;
  }
}

function splitPath(text: string): string[] {
  return text.split(/[:;]/).filter((folder) => folder.startsWith("/"));
}

/** The folders of RPATHs that count for what `job` needs; a library with a RUNPATH has its own RPATH ignored. */
function handedDown(job: Job): Place[] {
  const own = job.needs.runpath.length === 0 ? job.needs.rpath : [];
  return [...own.flatMap((folder) => expand(folder, job)), ...job.inherited];
}

/** `text` with the loader's variables replaced; a relative path, which would depend on the working folder, gives nothing. */
function expand(text: string, job: Job): Place[] {
  const { machine } = job.needs;
  const origin = /\$(ORIGIN\b|\{ORIGIN\})/g;
  const known = text
    .replace(origin, () => dirname(job.path))
    .replace(/\$(PLATFORM\b|\{PLATFORM\})/g, () => machine);
  const moves = job.stored && text.search(origin) >= 0;
  return [`lib/${multiarch(machine)}`, "lib64", "lib"]
    .map((lib) => known.replace(/\$(LIB\b|\{LIB\})/g, lib))
    .filter((path, at, all) => path.startsWith("/") && all.indexOf(path) === at)
    .map((path) => ({ path: join(path), moves }));
}
