import { basename, join } from "node:path";
import { ProjectError } from "./errors.ts";
import { commandExists, run } from "./files.ts";
import { EXPORT_MAP } from "./manifest_source.ts";
import type { CProject, JsonObject } from "./project.ts";
import {
  type CLanguage,
  CODE_FLAGS,
  compilerOf,
  DEBUG_CODE_FLAGS,
  dependencyHashes,
  IS_MAC,
  LINK_FLAGS,
} from "./toolchain.ts";

/** Where a compilation finds its inputs and puts its output. */
export interface Compilation {
  /** Folder with the SDKs. */
  sdk: string;
  /** An empty folder for what lies in between. */
  temporary: string;
  debug: boolean;
}

/** What is to be passed to compiler and linker for the packages that `pkg_config` names. */
interface Packages {
  cflags: string[];
  ldflags: string[];
  libs: string[];
  folders: string[];
}

/** What the manifest says of how a project in C or C++ is built, without toolchain and time. */
export async function cBuildFacts(project: CProject, { debug }: Compilation): Promise<JsonObject> {
  const { language, build } = project;
  const packages = await findPackages(build.pkg_config);
  return {
    build_flags: [
      standardOf(language),
      ...codeFlags(debug),
      ...build.cflags,
      ...linkFlags(project),
      ...build.ldflags,
    ],
    dependency_hashes: await dependencyHashes(
      language,
      [...build.libs, ...packages.libs],
      packages.folders,
    ),
  };
}

/**
 * Compiles the project with `source`, which embeds the manifest.
 *
 * @returns the library and the files to put beside it
 */
export async function compileC(
  project: CProject,
  options: Compilation & { source: string },
): Promise<{ library: string; bundled: string[] }> {
  const { folder, language, build } = project;
  const { sdk, temporary, debug, source } = options;
  const manifest = join(temporary, "manifest.c");
  await Deno.writeTextFile(manifest, source);
  const packages = await findPackages(build.pkg_config);
  // Maps, so that no path of this machine stands in the library and every machine makes the same bytes. A debugger wants the paths.
  const maps = [temporary, folder, sdk].map((path) => `-ffile-prefix-map=${path}=.`);
  const paths = [...(debug ? [] : maps), `-I${join(sdk, "include")}`, `-I${folder}`];
  const objects: string[] = [];
  for (const [index, source] of [...build.sources, manifest].entries()) {
    const object = join(temporary, `${index}.o`);
    const own = index < build.sources.length;
    const compiler = own && !source.endsWith(".c") ? language : "c";
    const warnings = own ? ["-Wall", "-Wextra", ...build.cflags, ...packages.cflags] : [];
    const flags = [standardOf(compiler), ...codeFlags(debug), ...warnings, ...paths];
    await run([compilerOf(compiler), ...flags, "-c", source, "-o", object], { cwd: folder });
    objects.push(object);
  }
  const library = join(temporary, "library.so");
  const map = join(temporary, "exports.map");
  await Deno.writeTextFile(map, EXPORT_MAP);
  const hidden = language === "cpp" && !IS_MAC ? [`-Wl,--version-script=${map}`] : [];
  await run([
    ...[compilerOf(language), ...linkFlags(project), ...hidden, ...objects, ...build.ldflags],
    ...[...build.libs.map((lib) => `-l${lib}`), ...packages.ldflags, "-o", library],
  ], { cwd: folder });
  return { library, bundled: await findBundled(project, packages.folders) };
}

function standardOf(language: CLanguage): string {
  return language === "c" ? "-std=c11" : "-std=c++17";
}

function codeFlags(debug: boolean): string[] {
  return debug ? DEBUG_CODE_FLAGS : CODE_FLAGS;
}

function linkFlags({ build }: CProject): string[] {
  return build.bundle.length > 0 ? [...LINK_FLAGS, "-Wl,-rpath,$ORIGIN"] : LINK_FLAGS;
}

async function findPackages(names: string[]): Promise<Packages> {
  const packages: Packages = { cflags: [], ldflags: [], libs: [], folders: [] };
  if (names.length === 0) return packages;
  if (!await commandExists("pkg-config")) {
    throw new ProjectError(
      'Cannot look up "pkg_config" of build.json: pkg-config is not installed; install the package pkg-config',
    );
  }
  for (const name of names) {
    const ask = async (...options: string[]) => {
      const words = await run(["pkg-config", ...options, name]);
      return words.split(/\s+/).filter((word) => word !== "");
    };
    if (await run(["pkg-config", "--exists", name]).then(() => false, () => true)) {
      throw new ProjectError(
        `Cannot find "${name}", which "pkg_config" in build.json names: install its development package, or add the folder of ` +
          `${name}.pc to PKG_CONFIG_PATH`,
      );
    }
    packages.cflags.push(...await ask("--cflags"));
    const words = await ask("--libs");
    packages.ldflags.push(...words);
    packages.libs.push(
      ...words.filter((word) => word.startsWith("-l")).map((word) => word.slice(2)),
    );
    packages.folders.push(...await ask("--variable=libdir"));
  }
  return packages;
}

/** The files that match `bundle`, in the project or where the packages of `pkg_config` lie. */
async function findBundled({ folder, build }: CProject, folders: string[]): Promise<string[]> {
  const found = new Map<string, string>();
  for (const pattern of build.bundle) {
    const expression = new RegExp(
      `^${
        pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")
      }$`,
    );
    const before = found.size;
    for (const place of [folder, ...folders]) {
      for await (const entry of Deno.readDir(place)) {
        if (expression.test(entry.name)) found.set(entry.name, join(place, entry.name));
      }
    }
    if (found.size === before) {
      throw new ProjectError(
        `Cannot bundle "${pattern}" with "${basename(folder)}": no such file in "${
          [folder, ...folders].join('", "')
        }"`,
      );
    }
  }
  return [...found.values()].sort();
}
