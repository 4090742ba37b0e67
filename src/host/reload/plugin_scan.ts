import { dirname, join } from "node:path";
import { search } from "../../plugin/discovery.ts";

/** How often something must be found broken, each time after the quiet time, until it is believed to stay so. */
const TRIES = 5;
const MOST_FILES = 10_000;

export interface PluginScanOptions {
  /** Folders that may hold plugins. */
  directories: () => readonly string[];
  /** Plugins at places of their own. */
  paths: () => readonly string[];
  /** How long something must stay as it is before it is looked into, in ms. */
  quietMs: number;
  /** Whether what lies at a path is a whole plugin. Must not throw. */
  isWhole: (path: string) => Promise<boolean>;
  /** @default performance.now */
  now?: () => number;
}

/** What a scan has found. */
export interface ScanResult {
  /** Something appeared, changed or went away, and is settled now. */
  changed: boolean;
  /** What is still being written, or seems to be. */
  unsettled: ReadonlySet<string>;
}

interface Seen {
  /** Of names, sizes, times and inodes; "" when it is gone. */
  print: string;
  since: number;
  tries: number;
  settled: boolean;
}

/**
 * Tells which plugin files have changed, and which of them are whole: a copy that is under way is waited for. What is there at
 * first counts as known.
 */
export class PluginScan {
  readonly #options: PluginScanOptions;
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();
  #folders: string[] = [];

  private constructor(options: PluginScanOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  static async start(options: PluginScanOptions): Promise<PluginScan> {
    const scan = new PluginScan(options);
    for (const [path, print] of await scan.#look()) {
      scan.#seen.set(path, { print, since: 0, tries: 0, settled: true });
    }
    return scan;
  }

  /** All folders in which something may change. */
  get folders(): readonly string[] {
    return this.#folders;
  }

  async scan(): Promise<ScanResult> {
    const present = await this.#look();
    for (const path of new Set([...present.keys(), ...this.#seen.keys()])) {
      const print = present.get(path) ?? "";
      if (this.#seen.get(path)?.print === print) continue;
      this.#seen.set(path, { print, since: this.#now(), tries: 0, settled: false });
    }
    let changed = false;
    for (const [path, seen] of this.#seen) {
      if (seen.settled || this.#now() - seen.since < this.#options.quietMs) continue;
      if (!await this.#isSettled(path, seen)) continue;
      seen.settled = true;
      changed = true;
      if (seen.print === "") this.#seen.delete(path);
    }
    const unsettled = [...this.#seen].filter(([, { settled }]) => !settled).map(([path]) => path);
    return { changed, unsettled: new Set(unsettled) };
  }

  async #isSettled(path: string, seen: Seen): Promise<boolean> {
    if (seen.print === "" || await this.#options.isWhole(path)) return true;
    seen.since = this.#now();
    return ++seen.tries >= TRIES;
  }

  /** Prints by path of the plugin. */
  async #look(): Promise<Map<string, string>> {
    const { directories, paths } = this.#options;
    const candidates = new Set(paths());
    const folders = new Set(paths().map(dirname));
    for (const directory of directories()) {
      folders.add(directory);
      const found = await search(directory).catch(() => undefined);
      for (const path of found?.candidates ?? []) candidates.add(path);
    }
    const prints = new Map<string, string>();
    for (const path of candidates) {
      const lines: string[] = [];
      await print(path, lines, folders);
      if (lines.length > 0) prints.set(path, lines.sort().join("\n"));
    }
    this.#folders = [...folders].sort();
    return prints;
  }
}

/** Adds a line for each file at or below `path`, and each folder to `folders`. */
async function print(path: string, lines: string[], folders: Set<string>): Promise<void> {
  if (lines.length >= MOST_FILES) return;
  try {
    const { isDirectory, size, mtime, ctime, dev, ino } = await Deno.stat(path);
    if (!isDirectory) {
      lines.push([path, size, mtime?.getTime(), ctime?.getTime(), dev, ino].join(" "));
      return;
    }
    const known = folders.size;
    folders.add(path);
    // A link back to a folder above must not lead round in circles.
    if (folders.size === known && lines.length > 0) return;
    for await (const { name } of Deno.readDir(path)) await print(join(path, name), lines, folders);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) lines.push(`${path} ${(error as Error).name}`);
  }
}
