import { basename, join, resolve } from "node:path";
import { manifestSchema } from "../plugin/manifest.ts";
import { jsonPath, lineOf } from "../plugin/json_lines.ts";
import { buildSeconds } from "./build_time.ts";
import { cBuildFacts, type Compilation, compileC } from "./c_build.ts";
import { MissingCompilerError, ProjectError, RunError } from "./errors.ts";
import { writeAtomic } from "./files.ts";
import { compileGo, goBuildFacts } from "./go_build.ts";
import { manifestSource } from "./manifest_source.ts";
import {
  type CProject,
  type GoProject,
  type JsonObject,
  libraryName,
  type Project,
  type ProjectOverrides,
  readProject,
} from "./project.ts";
import { compileRust } from "./rust_build.ts";
import { type Abi, findSdk, readAbi } from "./sdk.ts";
import { compilerTarget, LIBRARY_SUFFIX, missingCompiler, toolchainVersion } from "./toolchain.ts";
import { readBack } from "./read_back.ts";

/** What {@linkcode buildProject} does differently from what the folder says; for test fixtures, so nothing is verified. */
export interface BuildOverrides extends ProjectOverrides {
  /** Laid over the finished manifest, key by key; a key set to `undefined` is left out. */
  manifest?: JsonObject;
  /** Text to embed instead of the manifest. */
  embedded?: string;
  /** Text of the `manifest.json` beside the library instead of the embedded one. */
  copy?: string;
  /** ABI hash to export instead of the header's. */
  abiHash?: string;
  /** Exported data to leave out. */
  omit?: ("busbar_abi_hash" | "busbar_manifest")[];
}

/** What to build, and where to. */
export interface BuildOptions {
  /** The project's folder. */
  folder: string;
  /** Gets a folder named like the plugin. */
  outDir: string;
  /** Folder with the SDKs. @default the project's own `busbar/`, else the `ffi/` of the repository around it */
  sdk?: string;
  /** Whether to build for a debugger: not optimised, with paths of this machine. @default false */
  debug?: boolean;
  /** What the manifest states as build time, in seconds since 1970. @default see {@linkcode buildSeconds} */
  seconds?: number;
  /** Where cargo keeps what it compiles. @default `target/` in the project */
  targetDir?: string;
  overrides?: BuildOverrides;
}

/** A plugin that was built. */
export interface BuiltPlugin {
  manifestPath: string;
  libraryPath: string;
  manifest: JsonObject;
}

/** What a compilation left, before it is put into place. */
interface Made {
  library: string;
  /** File name of the library. */
  fileName: string;
  manifest: JsonObject;
  /** Text for `manifest.json`. */
  copy: string;
  bundled: string[];
}

/**
 * Builds one plugin into `outDir/<name>/`: the library, with manifest and ABI hash embedded, and `manifest.json`, which
 * is what was read back out of the library. Both are renamed into place, so a library that is in use keeps its bytes; what else
 * lay there is removed.
 *
 * @throws {ProjectError} naming the file, where the project is wrong, or holding what the compiler says
 * @throws {MissingCompilerError} where there is none
 */
export async function buildProject(options: BuildOptions): Promise<BuiltPlugin> {
  // Compilers resolve links, and what is mapped away must be what they see.
  const folder = await Deno.realPath(resolve(options.folder)).catch(() => resolve(options.folder));
  const { outDir, overrides, debug = false } = options;
  const project = await readProject(folder, overrides);
  const missing = await missingCompiler(project.language);
  if (missing) {
    throw new MissingCompilerError(
      `Cannot build plugin "${project.name}": "${missing.program}" is not installed; ${missing.advice}`,
    );
  }
  const sdk = options.sdk ?? await findSdk(folder);
  const seconds = options.seconds ?? await buildSeconds(folder);
  const temporary = await Deno.realPath(await Deno.makeTempDir({ prefix: "busbar_plugin_" }));
  try {
    const compilation = { sdk, temporary, debug };
    const made = await make(project, { ...options, ...compilation, seconds });
    return await install(made, { target: join(outDir, String(made.manifest.name)), overrides });
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    const said = error.output === "" ? error.message : `the compiler says:\n${error.output}`;
    throw new ProjectError(`Cannot build plugin "${project.name}": ${said}`, { cause: error });
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

type MakeOptions = BuildOptions & Compilation & { seconds: number };

async function make(project: Project, options: MakeOptions): Promise<Made> {
  if (project.language !== "rust") return await makeWithManifest(project, options);
  const library = await compileRust(project, options);
  const { manifest, text } = await readBack(library, project.name);
  return {
    library,
    fileName: fileNameOf(libraryName(manifest)),
    manifest,
    copy: text,
    bundled: [],
  };
}

async function makeWithManifest(
  project: CProject | GoProject,
  options: MakeOptions,
): Promise<Made> {
  const { overrides } = options;
  const abi = await readAbi(options.sdk);
  const manifest = await completeManifest(project, { ...options, abi });
  if (!overrides) checkManifest(manifest, project);
  const text = JSON.stringify(manifest, null, 2) + "\n";
  const omit = overrides?.omit ?? [];
  const source = manifestSource({
    manifest: omit.includes("busbar_manifest") ? undefined : overrides?.embedded ?? text,
    abiHash: omit.includes("busbar_abi_hash") ? undefined : overrides?.abiHash ?? abi.hash,
  });
  const { library, bundled } = project.language === "go"
    ? { library: await compileGo(project, { ...options, source }), bundled: [] }
    : await compileC(project, { ...options, source });
  const name = project.language === "go" ? undefined : project.build.library;
  const fileName = fileNameOf(name ?? libraryName(manifest));
  if (overrides) {
    const copy = overrides.copy ?? overrides.embedded ?? text;
    return { library, fileName, manifest, copy, bundled };
  }
  const copy = (await readBack(library, project.name)).text;
  return { library, fileName, manifest, copy, bundled };
}

function fileNameOf(library: string): string {
  return library.replace(/\.so$/, LIBRARY_SUFFIX);
}

/** `plugin.json` with what only the build knows; what it says itself stays. */
async function completeManifest(
  project: CProject | GoProject,
  options: MakeOptions & { abi: Abi },
): Promise<JsonObject> {
  const { folder, language, plugin } = project;
  const { abi, debug, seconds, overrides } = options;
  return {
    ...plugin,
    abi: plugin.abi ?? abi.version,
    requires_minor: plugin.requires_minor ?? abi.minor,
    target: plugin.target ?? await compilerTarget(),
    build: plugin.build ?? {
      language,
      toolchain_version: await toolchainVersion(language, folder),
      build_profile: debug ? "debug" : "release",
      ...(project.language === "go"
        ? await goBuildFacts(project, options)
        : await cBuildFacts(project, options)),
      sdk_version: `${abi.version}.0`,
      build_time: new Date(seconds * 1000).toISOString(),
    },
    ...overrides?.manifest,
  };
}

/** Says what is wrong with a manifest by the lines of `plugin.json`, before anything is compiled. */
function checkManifest(manifest: JsonObject, { folder, pluginText }: CProject | GoProject): void {
  const result = manifestSchema.safeParse(manifest);
  if (result.success) return;
  const faults = result.error.issues.slice(0, 5).map(({ path, message }) =>
    `line ${lineOf(pluginText, path)}, ${jsonPath(path)}: ${message}`
  );
  throw new ProjectError(`Cannot use "${join(folder, "plugin.json")}": ${faults.join("; ")}`);
}

async function install(
  { library, fileName, manifest, copy, bundled }: Made,
  { target, overrides }: { target: string; overrides: BuildOverrides | undefined },
): Promise<BuiltPlugin> {
  const libraryPath = join(target, fileName);
  const manifestPath = join(target, "manifest.json");
  for (const file of bundled) {
    await writeAtomic(join(target, basename(file)), await Deno.readFile(file), { mode: 0o755 });
  }
  await writeAtomic(libraryPath, await Deno.readFile(library), { mode: 0o755 });
  await writeAtomic(manifestPath, copy);
  // Fixtures may keep several libraries in one folder.
  if (!overrides) {
    const kept = new Set([fileName, "manifest.json", ...bundled.map((file) => basename(file))]);
    for await (const { name } of Deno.readDir(target)) {
      if (!kept.has(name)) await Deno.remove(join(target, name), { recursive: true });
    }
  }
  return { manifestPath, libraryPath, manifest };
}
