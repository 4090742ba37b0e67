import { dirname, join, relative } from "node:path";
import { BUILTIN_MANIFEST } from "../../src/component/builtin/manifest.ts";
import { didYouMean } from "../../src/config/suggest.ts";
import { binarySources } from "./build_info.ts";
import { run } from "./files.ts";

/** Built-in components, as `kind/name` and in the manifest's order. */
export interface BuiltinChoice {
  included: string[];
  leftOut: string[];
}

/** Files that name each built-in component in a line of its own. */
const TABLES = [
  "src/component/builtin/mod.ts",
  "src/component/builtin/manifest/mod.ts",
  "src/http/hooks/mod.ts",
];

const NAME = /"((?:source|processor|reaction|hook)\/[a-z0-9-]+)"/;
/** A whole entry of a table: one that is spread over several lines cannot be taken out. */
const ENTRY = /^(?: {2}"[^"]+": async \(\) => .+,|export \{ \w+ as "[^"]+" \} from ".+";)$/;

/**
 * Reads what stands behind `--builtins`: names with commas between them, each `kind/name`, or `name` for the components of
 * that name of every kind; or `none`.
 *
 * @throws {Error} for a name that no built-in component has
 */
export function chooseBuiltins(text: string): BuiltinChoice {
  const components = BUILTIN_MANIFEST.components.map(({ kind, name }) => ({
    name,
    full: `${kind}/${name}`,
  }));
  const wanted = new Set<string>();
  const written = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  for (const entry of text.trim() === "none" ? [] : written) {
    // As in a configuration.
    const asked = entry.replaceAll("_", "-");
    const found = components.filter(({ name, full }) => name === asked || full === asked);
    if (found.length === 0) {
      const names = [...new Set(components.flatMap(({ name, full }) => [name, full]))];
      const advice = didYouMean(entry, names) ??
        `there are: ${components.map(({ full }) => full).join(", ")}`;
      throw new Error(
        `--builtins "${text}": there is no built-in component "${entry}"; ${advice}`,
      );
    }
    for (const { full } of found) wanted.add(full);
  }
  const all = components.map(({ full }) => full);
  return {
    included: all.filter((name) => wanted.has(name)),
    leftOut: all.filter((name) => !wanted.has(name)),
  };
}

/**
 * Copies what the binary is made of from `root` to `folder`, without the components that are left out: what only they
 * import is then no part of the program.
 *
 * @param files further files that the binary needs, relative to `root`
 */
export async function copySources(
  root: string,
  folder: string,
  { leftOut, files }: { leftOut: readonly string[]; files: readonly string[] },
): Promise<void> {
  const sources = (await binarySources(root)).map((path) => relative(root, path));
  for (const path of [...sources, ...files]) {
    const target = join(folder, path);
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.copyFile(join(root, path), target);
  }
  for (const path of TABLES) {
    const table = join(folder, path);
    await Deno.writeTextFile(table, withoutEntries(await Deno.readTextFile(table), leftOut));
  }
}

/** A table without the lines of some components. @throws {Error} where such a line is not a whole entry */
export function withoutEntries(text: string, leftOut: readonly string[]): string {
  const lines = text.split("\n").filter((line) => {
    const name = NAME.exec(line)?.[1];
    if (name === undefined || !leftOut.includes(name)) return true;
    if (ENTRY.test(line)) return false;
    throw new Error(`Cannot leave out ${name}: "${line.trim()}" is not a whole entry in one line`);
  });
  return lines.join("\n");
}

/** The npm packages that the program in `folder` imports, itself or through others, by their keys in `deno.lock`. */
export async function importedPackages(folder: string): Promise<Set<string>> {
  const command = [Deno.execPath(), "info", "--json", "--frozen", "main.ts"];
  const { modules, npmPackages } = JSON.parse(await run(command, { cwd: folder })) as ModuleGraph;
  const found = new Set<string>();
  const add = (key: string) => {
    if (found.has(key)) return;
    found.add(key);
    npmPackages[key]?.dependencies.forEach(add);
  };
  for (const { npmPackage } of modules) if (npmPackage !== undefined) add(npmPackage);
  return found;
}

/** The part of what `deno info --json` prints that is read here. */
interface ModuleGraph {
  modules: { npmPackage?: string }[];
  npmPackages: Record<string, { dependencies: string[] }>;
}
