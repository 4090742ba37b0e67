import { dirname, isAbsolute, join } from "node:path";
import type { Config } from "../config/schema.ts";
import { readBuildLock } from "../plugin/build_lock.ts";
import { defaultDirectories, discover } from "../plugin/discovery.ts";
import { PluginError, type PluginProblem, problemOf } from "../plugin/errors.ts";
import {
  type GoodInspection,
  type Inspection,
  type InspectOptions,
  inspectPlugin,
  isGood,
  refusalOf,
} from "../plugin/inspect.ts";
import { LibraryResolver } from "../plugin/libraries.ts";
import { preloadNames } from "../plugin/shared_libraries.ts";
import { programPath } from "./program.ts";

/** What plugins are judged by. */
export interface PluginRules {
  inspect: InspectOptions;
  /** Absolute paths of the libraries that cells load before plugins. */
  preload: string[];
  /** What of the settings cannot be, by its path in the configuration. */
  faults: { path: (string | number)[]; message: string }[];
}

/** The plugins there are, read but not loaded. */
export interface PluginSet {
  /** Folders that were searched. */
  directories: string[];
  /** Plugins that may be loaded, one per name. */
  plugins: GoodInspection[];
  /** What was read of those that may not. */
  refused: Inspection[];
  /** Why plugins are refused or shadowed, and folders that cannot be read. */
  problems: PluginProblem[];
  /** Libraries and folders that are no plugins. */
  skipped: number;
  rules: PluginRules;
}

/** The plugin that is part of this program. */
export const BUILTIN = "builtin";

/** What `plugins` of a configuration demands of plugins. */
export async function pluginRules(settings: Config["plugins"]): Promise<PluginRules> {
  const libraries = new LibraryResolver();
  const provided = new Set<string>();
  const rules: PluginRules = {
    inspect: { mode: settings.compatibility, libraries, provided },
    preload: [],
    faults: [],
  };
  const attempt = async (path: (string | number)[], action: () => Promise<void>) => {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof PluginError)) throw error;
      rules.faults.push({ path: ["plugins", ...path], message: error.message });
    }
  };
  if (settings.compatibility === "strict") {
    await attempt(["compatibility"], async () => {
      rules.inspect.buildLock = await readBuildLock(join(dirname(programPath()), "build.lock"));
    });
  }
  for (const [index, entry] of settings.preload.entries()) {
    await attempt(["preload", index], async () => {
      const path = await preloadPath(entry, libraries);
      for (const name of await preloadNames([path])) provided.add(name);
      rules.preload.push(path);
    });
  }
  return rules;
}

/** A bare name is looked up among the installed libraries, as the loader would. */
async function preloadPath(entry: string, libraries: LibraryResolver): Promise<string> {
  if (isAbsolute(entry)) return entry;
  const path = await libraries.installed(entry, Deno.build.arch);
  if (path !== undefined) return path;
  throw new PluginError(
    "NotFound",
    `Cannot preload "${entry}": no installed library has that name; give its path`,
    { path: entry },
  );
}

/**
 * Finds the plugins in `more` (folders given with `--plugin-dir`, which come first) and in those of the configuration, or in the
 * default ones where neither names any. `plugins.use.NAME.path` replaces what is found under that name.
 */
export async function findPlugins(
  settings: Config["plugins"],
  more: readonly string[] = [],
): Promise<PluginSet> {
  const rules = await pluginRules(settings);
  const named = [...more, ...settings.directories ?? []];
  const isDefault = more.length === 0 && settings.directories === undefined;
  const optional = isDefault ? defaultDirectories(programPath()) : [];
  const found = await discover(named, { ...rules.inspect, optional });
  const set: PluginSet = {
    ...found,
    directories: [...named, ...optional],
    plugins: [...found.plugins],
    refused: [...found.refused],
    problems: [...found.problems],
    rules,
  };
  for (const [name, { path }] of Object.entries(settings.use)) {
    if (path !== undefined) await takeFrom(path, name, set);
  }
  return withoutReserved(set);
}

async function takeFrom(path: string, name: string, set: PluginSet): Promise<void> {
  set.plugins = set.plugins.filter((plugin) => plugin.name !== name);
  try {
    const inspection = await inspectPlugin(path, set.rules.inspect);
    if (!isGood(inspection)) {
      set.refused.push(inspection);
      throw refusalOf(inspection);
    }
    if (inspection.name !== name) {
      throw new PluginError(
        "InvalidManifest",
        `Cannot use "${path}" as plugin "${name}": its manifest names it "${inspection.name}"; ` +
          `change plugins.use.${name}`,
        { path },
      );
    }
    set.plugins.push(inspection);
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    set.problems.push(problemOf(error));
  }
}

function withoutReserved(set: PluginSet): PluginSet {
  for (const { name, path } of set.plugins.filter(({ name }) => name === BUILTIN)) {
    set.problems.push({
      code: "DuplicatePlugin",
      path,
      message: `Cannot use plugin "${name}" from "${path}": the name is that of the built-in one`,
    });
  }
  set.plugins = set.plugins.filter(({ name }) => name !== BUILTIN)
    .sort((a, b) => a.name < b.name ? -1 : 1);
  return set;
}
