import { join } from "node:path";
import { type BuildOptions, buildProject, type BuiltPlugin } from "../../src/project/build.ts";
import { type JsonObject, type Project, readProject } from "../../src/project/project.ts";
import { missingCompiler, toolchainVersion } from "../../src/project/toolchain.ts";
import { hashFiles, listFiles, PROJECT, run, whenChanged } from "./files.ts";
import { sourceState } from "./source_state.ts";

export type { BuildOverrides, BuiltPlugin } from "../../src/project/build.ts";
export type { JsonObject } from "../../src/project/project.ts";

/** What {@linkcode buildPlugin} may be told besides what every build is. */
export interface BuildPluginOptions extends Omit<BuildOptions, "sdk" | "targetDir" | "seconds"> {
  /** Where `ffi/` lies. @default the project's folder */
  root?: string;
}

/** Builds a plugin with the SDKs and the commit's time of this repository, and with a cache that all plugins share. */
export async function buildPlugin(options: BuildPluginOptions): Promise<BuiltPlugin> {
  const { root = PROJECT, ...rest } = options;
  return await buildProject({
    ...rest,
    sdk: join(root, "ffi"),
    seconds: Date.parse((await sourceState(root)).time) / 1000,
    targetDir: join(PROJECT, ".tools/cargo-target"),
  });
}

/** Where {@linkcode buildPlugins} finds its inputs. */
export interface BuildPluginsOptions {
  /** The project's folder: its `plugins/` go to its `dist/plugins/`. */
  root: string;
  /** Whether a plugin whose compiler is missing is an error, not left out. */
  strict: boolean;
  /** Gets one line for each thing done or left out. */
  log: (line: string) => void;
}

/**
 * Builds every folder of `plugins/` that has changed since it was built.
 *
 * @returns the manifests, in order of the folders
 */
export async function buildPlugins(options: BuildPluginsOptions): Promise<JsonObject[]> {
  const { root, strict, log } = options;
  const folders: string[] = [];
  for await (const entry of Deno.readDir(join(root, "plugins"))) {
    if (entry.isDirectory && !entry.name.startsWith(".")) folders.push(entry.name);
  }
  const inputs = await sharedInputs(root);
  const built: JsonObject[] = [];
  // One after the other: cargo and go use all processors by themselves.
  for (const name of folders.sort()) {
    const folder = join(root, "plugins", name);
    const project = await readProject(folder);
    const missing = await missingCompiler(project.language);
    if (missing) {
      const what =
        `plugin "${name}": "${missing.program}", which it is compiled with, is not installed`;
      if (strict) throw new Error(`Cannot build ${what}; ${missing.advice}`);
      log(`skipped ${what}`);
      continue;
    }
    const packages = await packageVersions(project);
    if ("missing" in packages) {
      const what =
        `plugin "${name}": pkg-config does not know "${packages.missing}", which it is compiled with`;
      if (strict) throw new Error(`Cannot build ${what}; run scripts/setup`);
      log(`skipped ${what}`);
      continue;
    }
    const target = join(root, "dist/plugins", project.name);
    const key = [
      ...packages.versions,
      inputs,
      await sdkInputs(root, project.language),
      await toolchainVersion(project.language, folder),
      await hashFiles(root, await listSources(folder)),
    ];
    const manifest = join(target, "manifest.json");
    const ran = await whenChanged({
      stamp: join(root, "dist/.stamps/plugins", name),
      key: key.join(" "),
      outputs: () => listFiles(target),
    }, async () => void await buildPlugin({ folder, outDir: join(root, "dist/plugins"), root }));
    if (ran) log(`plugin ${name}`);
    built.push(JSON.parse(await Deno.readTextFile(manifest)) as JsonObject);
  }
  return built;
}

/** The versions of the packages that `pkg_config` of `build.json` names, or which one is not there. */
async function packageVersions(
  project: Project,
): Promise<{ versions: string[] } | { missing: string }> {
  const versions: string[] = [];
  for (const name of "build" in project ? project.build.pkg_config : []) {
    const version = await run(["pkg-config", "--modversion", name]).catch(() => undefined);
    if (version === undefined) return { missing: name };
    versions.push(`${name}@${version}`);
  }
  return { versions };
}

/** Hash of what all plugins are made with. */
async function sharedInputs(root: string): Promise<string> {
  const scripts = join(PROJECT, "scripts/lib/build_plugins.ts");
  const shared = [scripts, ...await listFiles(join(PROJECT, "src/project"))];
  const include = await hashFiles(root, await listFiles(join(root, "ffi/include")));
  return await hashFiles(PROJECT, shared) + include + (await sourceState(root)).time;
}

/** Hash of the SDK of a language, besides the headers. */
async function sdkInputs(root: string, language: string): Promise<string> {
  return await hashFiles(root, await listSources(join(root, "ffi", language)));
}

/** The files of a project, without what is built in its folder. */
async function listSources(folder: string): Promise<string[]> {
  const files = await listFiles(folder);
  return files.filter((file) => !/^\/(target|dist)\//.test(file.slice(folder.length)));
}
