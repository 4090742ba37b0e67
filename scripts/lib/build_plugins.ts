import { basename, join } from "node:path";
import { z } from "zod";
import {
  CODE_FLAGS,
  compilerOf,
  compilerTarget,
  dependencyHashes,
  type Language,
  LIBRARY_SUFFIX,
  LINK_FLAGS,
  toolchainVersion,
} from "./c_toolchain.ts";
import { hashFiles, listFiles, PROJECT, run, whenChanged, writeAtomic } from "./files.ts";
import { sourceState } from "./source_state.ts";

/** A JSON object. */
export type JsonObject = Record<string, unknown>;

const PluginBuildSchema = z.strictObject({
  language: z.string(),
  sources: z.array(z.string()).min(1),
  cflags: z.array(z.string()).default([]),
  ldflags: z.array(z.string()).default([]),
  libs: z.array(z.string()).default([]),
  library: z.string().regex(/^[^/]+\.so$/, 'must be a file name that ends with ".so"'),
});

/** `build.json`: how a plugin's library is made. CONTRIBUTING.md says what each field means. */
export type PluginBuild = z.infer<typeof PluginBuildSchema>;

/** What {@linkcode buildPlugin} does differently from what the folder says; for test fixtures. */
export interface BuildOverrides {
  /** Laid over the finished manifest, key by key; a key set to `undefined` is left out. */
  manifest?: JsonObject;
  /** Laid over `build.json`; with `sources`, `language` and `library` given, that file may be missing. */
  build?: Partial<PluginBuild>;
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
export interface BuildPluginOptions {
  /** The plugin's folder, with `plugin.json`, `build.json` and the sources. */
  folder: string;
  /** Gets a folder named like the plugin. */
  outDir: string;
  /** Where `ffi/` lies. @default the project's folder */
  root?: string;
  overrides?: BuildOverrides;
}

/** A plugin that was built. */
export interface BuiltPlugin {
  manifestPath: string;
  libraryPath: string;
  manifest: JsonObject;
}

/**
 * Builds one plugin into `outDir/<name>/`: the library, with manifest and ABI hash embedded, and `manifest.json`. Both
 * are renamed into place, so a library that is in use keeps its bytes.
 *
 * @throws {Error} naming the file, where `plugin.json` or `build.json` is wrong or the compiler fails
 */
export async function buildPlugin(options: BuildPluginOptions): Promise<BuiltPlugin> {
  const { folder, outDir, overrides = {} } = options;
  const root = options.root ?? PROJECT;
  const build = await readBuild(folder, overrides.build);
  const language = supportedLanguage(build.language, folder);
  const version = await toolchainVersion(language);
  if (!version) {
    throw new Error(
      `Cannot build plugin "${basename(folder)}": "${compilerOf(language)}" is not installed`,
    );
  }
  const manifest = await makeManifest(options, { root, build, language, version });
  const text = JSON.stringify(manifest, null, 2) + "\n";
  const target = join(outDir, String(manifest.name));
  const libraryPath = join(target, build.library.replace(/\.so$/, LIBRARY_SUFFIX));
  const manifestPath = join(target, "manifest.json");

  const temporary = await Deno.makeTempDir({ prefix: "busbar_plugin_" });
  try {
    await Deno.writeTextFile(join(temporary, "manifest.c"), embeddedSource(text, overrides));
    const library = join(temporary, basename(libraryPath));
    await compile({ folder, temporary, root, build, language, library });
    await writeAtomic(libraryPath, await Deno.readFile(library), { mode: 0o755 });
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
  await writeAtomic(manifestPath, overrides.copy ?? overrides.embedded ?? text);
  return { manifestPath, libraryPath, manifest };
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
  const shared = await listFiles(join(root, "ffi/include"));
  shared.push(join(root, "ffi/abi_versions.json"));
  for (const file of ["build_plugins.ts", "c_toolchain.ts"]) {
    shared.push(join(root, "scripts/lib", file));
  }
  const inputs = await hashFiles(root, shared) + (await sourceState(root)).time;

  const built = await Promise.all(
    folders.sort().map(async (name) => {
      const folder = join(root, "plugins", name);
      const build = await readBuild(folder);
      const version = await toolchainVersion(supportedLanguage(build.language, folder));
      if (!version) {
        const compiler = compilerOf(build.language as Language);
        const what = `plugin "${name}": "${compiler}", which it is compiled with, is not installed`;
        if (strict) throw new Error(`Cannot build ${what}`);
        log(`skipped ${what}`);
        return undefined;
      }
      const outputs = await outputsOf(root, folder, build);
      const ran = await whenChanged({
        stamp: join(root, "dist/.stamps/plugins", name),
        key: inputs + version + await hashFiles(root, await listFiles(folder)),
        outputs,
      }, async () => void await buildPlugin({ folder, outDir: join(root, "dist/plugins"), root }));
      if (ran) log(`plugin ${name}`);
      return JSON.parse(await Deno.readTextFile(outputs[0]!)) as JsonObject;
    }),
  );
  return built.filter((manifest) => manifest !== undefined);
}

async function outputsOf(root: string, folder: string, build: PluginBuild): Promise<string[]> {
  const { name } = await readObject(join(folder, "plugin.json"));
  const target = join(root, "dist/plugins", String(name));
  return [
    join(target, "manifest.json"),
    join(target, build.library.replace(/\.so$/, LIBRARY_SUFFIX)),
  ];
}

function supportedLanguage(language: string, folder: string): Language {
  if (language === "c" || language === "cpp") return language;
  throw new Error(
    `Cannot build plugin "${basename(folder)}": language "${language}" in ${
      join(folder, "build.json")
    } ` +
      'is not supported, use "c" or "cpp"',
  );
}

async function readBuild(folder: string, overrides?: Partial<PluginBuild>): Promise<PluginBuild> {
  const path = join(folder, "build.json");
  const complete = overrides?.language && overrides.sources && overrides.library;
  const object = complete ? await readObject(path).catch(() => ({})) : await readObject(path);
  const result = PluginBuildSchema.safeParse({ ...object, ...overrides });
  if (!result.success) {
    throw new Error(
      `Cannot build plugin "${basename(folder)}": ${path}:\n${z.prettifyError(result.error)}`,
    );
  }
  return result.data;
}

async function readObject(path: string): Promise<JsonObject> {
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(path));
    if (value && typeof value === "object" && !Array.isArray(value)) return value as JsonObject;
    throw new Error("not a JSON object");
  } catch (error) {
    throw new Error(`Cannot read "${path}": ${(error as Error).message}`, { cause: error });
  }
}

interface Compilation {
  root: string;
  build: PluginBuild;
  language: Language;
}

async function makeManifest(
  { folder, overrides }: BuildPluginOptions,
  { root, build, language, version }: Compilation & { version: string },
): Promise<JsonObject> {
  const abi = String((await readObject(join(root, "ffi/abi_versions.json"))).current);
  const plugin = await readObject(join(folder, "plugin.json")).catch((error): JsonObject => {
    if (overrides?.manifest) return {};
    throw error;
  });
  const manifest: JsonObject = {
    ...plugin,
    abi: plugin.abi ?? abi,
    requires_minor: plugin.requires_minor ?? Number(abi.split(".")[1]),
    target: plugin.target ?? await compilerTarget(),
    build: plugin.build ?? {
      language,
      toolchain_version: version,
      build_profile: "release",
      build_flags: [
        standardOf(language),
        ...CODE_FLAGS,
        ...build.cflags,
        ...LINK_FLAGS,
        ...build.ldflags,
      ],
      dependency_hashes: await dependencyHashes(language, build.libs),
      sdk_version: `${abi}.0`,
      build_time: (await sourceState(root)).time,
    },
    ...overrides?.manifest,
  };
  if (typeof manifest.name !== "string" || !/^[a-z][a-z0-9-]*$/.test(manifest.name)) {
    throw new Error(
      `Cannot build plugin "${basename(folder)}": "name" in ${join(folder, "plugin.json")} is ` +
        `${JSON.stringify(manifest.name)}, use lower-case letters, digits and "-"`,
    );
  }
  return manifest;
}

function standardOf(language: Language): string {
  return language === "c" ? "-std=c11" : "-std=c++17";
}

function embeddedSource(manifest: string, overrides: BuildOverrides): string {
  const hash = overrides.abiHash === undefined ? "BUSBAR_ABI_HASH" : cString(overrides.abiHash);
  const omit = overrides.omit ?? [];
  return [
    '#include "busbar.h"',
    omit.includes("busbar_manifest")
      ? ""
      : `BUSBAR_EXPORT const char busbar_manifest[] =\n${cString(overrides.embedded ?? manifest)};`,
    omit.includes("busbar_abi_hash")
      ? ""
      : `BUSBAR_EXPORT const char busbar_abi_hash[65] = ${hash};`,
  ].join("\n") + "\n";
}

/** The text's UTF-8 bytes as C string literals, one a line. */
function cString(text: string): string {
  const escaped = (line: string) =>
    Array.from(new TextEncoder().encode(line), (byte) => {
      const char = String.fromCharCode(byte);
      // "?" too, or a pair of them could begin a trigraph.
      if (byte < 32 || byte > 126 || '"\\?'.includes(char)) {
        return "\\" + byte.toString(8).padStart(3, "0");
      }
      return char;
    }).join("");
  return text.split(/(?<=\n)/).map((line) => `  "${escaped(line)}"`).join("\n") || '""';
}

async function compile(
  options: Compilation & { folder: string; temporary: string; library: string },
): Promise<void> {
  const { folder, temporary, root, build, language, library } = options;
  // Maps, so that no path of this machine stands in the library and every machine makes the same bytes.
  const paths = [
    `-ffile-prefix-map=${temporary}=.`,
    `-ffile-prefix-map=${folder}=.`,
    `-ffile-prefix-map=${root}=.`,
    `-I${join(root, "ffi/include")}`,
    `-I${folder}`,
  ];
  const objects: string[] = [];
  const sources = [...build.sources, join(temporary, "manifest.c")];
  for (const [index, source] of sources.entries()) {
    const object = join(temporary, `${index}.o`);
    const own = index < build.sources.length;
    const compiler = own ? language : "c";
    const warnings = own ? ["-Wall", "-Wextra", ...build.cflags] : [];
    const flags = [standardOf(compiler), ...CODE_FLAGS, ...warnings, ...paths];
    await run([compilerOf(compiler), ...flags, "-c", source, "-o", object], { cwd: folder });
    objects.push(object);
  }
  const libs = build.libs.map((lib) => `-l${lib}`);
  await run([
    compilerOf(language),
    ...LINK_FLAGS,
    ...objects,
    ...build.ldflags,
    ...libs,
    "-o",
    library,
  ]);
}
