import { basename, join } from "node:path";
import { z } from "zod";
import { ProjectError } from "./errors.ts";
import { statOrNothing } from "./files.ts";
import type { CLanguage, Language } from "./toolchain.ts";

/** A JSON object. */
export type JsonObject = Record<string, unknown>;

const words = z.array(z.string()).default([]);

const CBuildSchema = z.strictObject({
  language: z.enum(["c", "cpp"]),
  sources: z.array(z.string()).min(1),
  cflags: words,
  ldflags: words,
  libs: words,
  pkg_config: words,
  bundle: words,
  library: z.string().regex(/^[^/]+\.so$/, 'must be a file name that ends with ".so"').optional(),
});

/** `build.json`: how the library of a plugin in C or C++ is made. CONTRIBUTING.md says what each field means. */
export type CBuild = z.infer<typeof CBuildSchema>;

/** A folder with the sources of one plugin. */
export type Project = CProject | RustProject | GoProject;

interface ProjectBase {
  /** Absolute path. */
  folder: string;
  language: Language;
  /** The plugin's name. */
  name: string;
}

export interface CProject extends ProjectBase {
  language: CLanguage;
  build: CBuild;
  /** `plugin.json`, and its text, for the lines of errors. */
  plugin: JsonObject;
  pluginText: string;
}

export interface RustProject extends ProjectBase {
  language: "rust";
}

export interface GoProject extends ProjectBase {
  language: "go";
  plugin: JsonObject;
  pluginText: string;
}

/** What stands in for the files of a project; for test fixtures. */
export interface ProjectOverrides {
  /** Laid over `build.json`; with `sources`, `language` and `library` given, that file may be missing. */
  build?: Partial<CBuild>;
  /** Stands in for `plugin.json`, which may then be missing. */
  manifest?: JsonObject;
}

const MARKERS = { "Cargo.toml": "rust", "go.mod": "go", "build.json": "c" } as const;

/**
 * Reads the project in `folder`: its language, from the file that says how it is built, and its name.
 *
 * @throws {ProjectError} where the folder holds no project, or one of its files is wrong
 */
export async function readProject(
  folder: string,
  overrides: ProjectOverrides = {},
): Promise<Project> {
  const found: (keyof typeof MARKERS)[] = [];
  for (const file of Object.keys(MARKERS) as (keyof typeof MARKERS)[]) {
    if (await statOrNothing(join(folder, file))) found.push(file);
  }
  const [marker = overrides.build ? "build.json" : undefined, second] = found;
  if (marker === undefined) {
    throw new ProjectError(
      `Cannot find a plugin project in "${folder}": it holds no build.json (C, C++), Cargo.toml (Rust) or go.mod (Go); ` +
        'make one with "busbar plugin new", or change to its folder',
    );
  }
  if (second !== undefined) {
    throw new ProjectError(
      `Cannot read the project in "${folder}": it holds ${marker} and ${second}, which are for different languages; ` +
        "keep one of them",
    );
  }
  const language = MARKERS[marker];
  if (language === "rust") return await readRust(folder);
  const { plugin, pluginText } = await readPluginJson(folder, overrides);
  const name = pluginName(overrides.manifest?.name ?? plugin.name, join(folder, "plugin.json"));
  if (language === "go") return { folder, language, name, plugin, pluginText };
  const build = await readBuild(folder, overrides.build);
  return { folder, language: build.language, name, build, plugin, pluginText };
}

/** The file name of a plugin's library, which says that it is one. */
export function libraryName(manifest: JsonObject): string {
  const components = Array.isArray(manifest.components) ? manifest.components : [];
  const kind = components.length === 1 ? (components[0] as JsonObject).kind : "plugin";
  return `libbusbar_${kind}_${String(manifest.name).replaceAll("-", "_")}.so`;
}

/** `value` as a plugin's name; `file` is where it stands. */
export function pluginName(value: unknown, file: string): string {
  if (typeof value === "string" && /^[a-z][a-z0-9-]{0,63}$/.test(value)) return value;
  throw new ProjectError(
    `Cannot build a plugin named ${
      JSON.stringify(value)
    }, as "name" in "${file}" says: use lower-case letters, digits ` +
      'and "-", a letter first, at most 64',
  );
}

async function readRust(folder: string): Promise<RustProject> {
  const file = join(folder, "Cargo.toml");
  const text = await Deno.readTextFile(file);
  // No TOML reader: cargo itself reads the file and says what is wrong with it.
  const section = /^\[package\]\s*$([\s\S]*?)(?=^\[|(?![\s\S]))/m.exec(text)?.[1] ?? "";
  const name = /^\s*name\s*=\s*"([^"]*)"/m.exec(section)?.[1];
  if (name === undefined) {
    throw new ProjectError(
      `Cannot read "${file}": it has no name in [package]; a plugin's project is one package, not a workspace`,
    );
  }
  return { folder, language: "rust", name: pluginName(name, file) };
}

async function readPluginJson(
  folder: string,
  { manifest }: ProjectOverrides,
): Promise<{ plugin: JsonObject; pluginText: string }> {
  const file = join(folder, "plugin.json");
  if (manifest && !await statOrNothing(file)) return { plugin: {}, pluginText: "{}" };
  return { plugin: await readObject(file), pluginText: await Deno.readTextFile(file) };
}

async function readBuild(folder: string, overrides?: Partial<CBuild>): Promise<CBuild> {
  const path = join(folder, "build.json");
  const complete = overrides?.language && overrides.sources && overrides.library;
  const object = complete ? await readObject(path).catch(() => ({})) : await readObject(path);
  const { language } = { ...object, ...overrides };
  if (language !== "c" && language !== "cpp") {
    throw new ProjectError(
      `Cannot build "${basename(folder)}": language ${
        JSON.stringify(language)
      } in "${path}" is not supported, use "c" or ` +
        '"cpp"; projects in Rust have a Cargo.toml instead of this file, in Go a go.mod',
    );
  }
  const result = CBuildSchema.safeParse({ ...object, ...overrides });
  if (!result.success) {
    throw new ProjectError(`Cannot read "${path}":\n${z.prettifyError(result.error)}`);
  }
  return result.data;
}

async function readObject(path: string): Promise<JsonObject> {
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(path));
    if (value && typeof value === "object" && !Array.isArray(value)) return value as JsonObject;
    throw new Error("not a JSON object");
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "it is not there; it holds the plugin's name, version and components"
      : (cause as Error).message;
    throw new ProjectError(`Cannot read "${path}": ${reason}`, { cause });
  }
}
