import { basename } from "node:path";
import { FileSource } from "./byte_source.ts";
import { digestOf } from "./contents.ts";
import { dependenciesOf } from "./elf.ts";
import { PluginError, type PluginProblem } from "./errors.ts";
import type { Inspection } from "./inspect.ts";
import { isWithin } from "./paths.ts";

/**
 * The names under which the loader knows the libraries in `preload` once they are in a process: their SONAME, else their file name.
 * Throws a PluginError naming the first that is not a shared library.
 */
export async function preloadNames(preload: readonly string[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const path of preload) {
    using source = await FileSource.open(path);
    names.add((await dependenciesOf(source)).linkName ?? basename(path));
  }
  return names;
}

/** Which plugins need a library that is neither found nor among `preload`, a list of paths. */
export async function checkPreloads(
  inspections: readonly Inspection[],
  preload: readonly string[],
): Promise<PluginProblem[]> {
  const names = await preloadNames(preload);
  const offer = names.size === 0
    ? "plugins.preload is empty"
    : `plugins.preload provides ${[...names].map((name) => `"${name}"`).join(", ")}`;
  return inspections.flatMap(({ name: plugin, path, libraries }) =>
    libraries.missing.filter(({ name }) => !names.has(name)).map(({ name, neededBy, reason }) => ({
      code: "MissingLibrary" as const,
      path,
      message:
        `Cannot load plugin "${plugin}": library "${name}", needed by "${neededBy}", is missing: ${reason}, ` +
        `and ${offer}; install it or add its path to plugins.preload`,
    }))
  );
}

/**
 * Plugins that bring different libraries of one SONAME: in one process the second would silently get the first one's. Only
 * plugins that share a cell matter.
 */
export async function checkSonames(inspections: readonly Inspection[]): Promise<PluginProblem[]> {
  const problems: PluginProblem[] = [];
  const owners = new Map<string, { plugin: string; path: string; digest: string }>();
  for (const { name: plugin, folder, libraries } of inspections) {
    if (folder === undefined) continue;
    for (const { name, soname = name, path } of libraries.found) {
      if (!isWithin(path, folder)) continue;
      const digest = await fileDigest(path);
      const owner = owners.get(soname);
      if (!owner) owners.set(soname, { plugin, path, digest });
      else if (owner.plugin !== plugin && owner.digest !== digest) {
        problems.push({
          code: "SonameConflict",
          path,
          message:
            `Cannot load plugins "${owner.plugin}" and "${plugin}" into one cell: each brings its own "${soname}" ` +
            `("${owner.path}" and "${path}"), and a process holds one; give them different cells, or one file`,
        });
      }
    }
  }
  return problems;
}

/** Plugins with a Go runtime beyond the first, which would hang a process that loads both. */
export function checkOneGoRuntime(inspections: readonly Inspection[]): PluginProblem[] {
  const [first, ...others] = inspections.filter(({ runtime }) => runtime === "go");
  return others.filter(({ name }) => name !== first?.name).map(({ name, path }) => ({
    code: "TwoGoRuntimes",
    path,
    message:
      `Cannot load plugins "${first?.name}" and "${name}" into one cell: each holds a Go runtime, and two hang a ` +
      "process; give each a cell of its own",
  }));
}

async function fileDigest(path: string): Promise<string> {
  using source = await FileSource.open(path);
  return await digestOf(source);
}

/** Throws the first of `problems` as a PluginError, its message holding them all; does nothing when there is none. */
export function throwProblems(problems: readonly PluginProblem[]): void {
  const first = problems[0];
  if (first) {
    throw new PluginError(first.code, problems.map(({ message }) => message).join("\n"), {
      path: first.path,
    });
  }
}
