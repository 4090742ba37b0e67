import { basename, dirname, join, relative } from "node:path";
import { COMPONENT_KINDS, type ComponentKind } from "../plugin/manifest.ts";
import { ProjectError } from "./errors.ts";
import { listFiles, statOrNothing } from "./files.ts";
import { readSdk, TEMPLATES } from "./sdk_files.ts";
import type { Language } from "./toolchain.ts";

/** What project to make. */
export interface ScaffoldOptions {
  language: Language;
  kind: ComponentKind;
  /** The plugin's name, as in a manifest. */
  name: string;
  /** The project's folder; must not exist, or be empty. */
  folder: string;
}

/** A project that was made. */
export interface Scaffolded {
  folder: string;
  /** Relative to the folder, sorted, without the SDK's. */
  files: string[];
  /** What to type next, in the project's folder. */
  commands: { build: string; test: string; run: string };
}

const TEST_COMMANDS: Record<Language, string> = {
  c: "make test",
  cpp: "make test",
  rust: "cargo test",
  go: "go test ./...",
};

/** Kinds that a pipeline can use; the others can be built and tested only, so far. */
const IN_PIPELINES: readonly ComponentKind[] = ["source", "processor", "reaction"];

/**
 * Makes a project with the code of a small plugin, a test, a pipeline that uses it, and the SDK. All or nothing: it is written
 * beside its place and then renamed.
 *
 * @throws {ProjectError} where the name is none, or something is in the folder already
 */
export async function scaffold(options: ScaffoldOptions): Promise<Scaffolded> {
  const { language, kind, name, folder } = options;
  checkName(name);
  await requireFree(folder);
  const files = await fillTemplates(options);
  const parent = dirname(folder);
  await Deno.mkdir(parent, { recursive: true });
  const temporary = await Deno.makeTempDir({ dir: parent, prefix: `.${basename(folder)}.` });
  try {
    await Deno.chmod(temporary, 0o755);
    for (const { path, content } of files) await write(join(temporary, path), content);
    for (const { path, content } of await readSdk(language)) {
      await write(join(temporary, "busbar", path), content);
    }
    await Deno.rename(temporary, folder);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true });
    throw error;
  }
  const commands = {
    build: "busbar plugin build",
    test: TEST_COMMANDS[language],
    run: runCommand(kind, name),
  };
  return { folder, files: files.map(({ path }) => path).sort(), commands };
}

function runCommand(kind: ComponentKind, name: string): string {
  return runsInPipeline(kind) ? "busbar run --until-done" : `busbar plugin validate dist/${name}`;
}

/** Whether `kind` can be used in a pipeline. */
export function runsInPipeline(kind: ComponentKind): boolean {
  return IN_PIPELINES.includes(kind);
}

/** What the project's third command does where it runs no pipeline, and where else the kind is used. */
export function whyNoPipeline(kind: ComponentKind): string {
  const uses: Partial<Record<ComponentKind, string>> = {
    service: "it runs where `services` of a configuration names it",
    hook: "it runs where `http.hooks` of a configuration names it",
  };
  const use = uses[kind] ?? `no configuration can use a ${kind} yet`;
  return `loads the plugin and compares it with its manifest; ${use}`;
}

function checkName(name: string): void {
  // Names of Rust crates and Go modules may not be what these languages say themselves; "test" is one of both.
  if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) && name.length <= 64 && !RESERVED.has(name)) {
    return;
  }
  const why = RESERVED.has(name)
    ? "that name means something else in a compiler or in busbar"
    : 'use lower-case letters and digits, a letter first, with single "-" between words, at most 64';
  throw new ProjectError(`Cannot make a plugin named "${name}": ${why}; for example "my-plugin"`);
}

const RESERVED = new Set(
  ["builtin", "busbar", "test", "core", "std", "alloc", "main", "cmd", "internal", "vendor"]
    .concat(
      "as break const continue crate else enum extern false fn for if impl in let loop match".split(
        " ",
      ),
    )
    .concat(
      "mod move mut pub ref return self static struct super trait true type unsafe use".split(" "),
    )
    .concat(
      "where while async await dyn abstract become box do final macro override priv".split(" "),
    )
    .concat("typeof unsized virtual yield try gen".split(" ")),
);

async function requireFree(folder: string): Promise<void> {
  const info = await statOrNothing(folder);
  if (!info) return;
  const empty = info.isDirectory && (await Array.fromAsync(Deno.readDir(folder))).length === 0;
  if (empty) return;
  throw new ProjectError(
    `Cannot make a project in "${folder}": ${
      info.isDirectory ? "the folder holds something already" : "a file has that name"
    }; choose another name, or another folder with --dir`,
  );
}

interface TemplateFile {
  path: string;
  content: string;
}

/**
 * Files of the parts of `templates/` that fit; those of later parts replace earlier ones. In names and contents "{{name}}" is the
 * plugin's name, "{{snake}}" the same with underscores, and so on.
 */
async function fillTemplates({ language, kind, name }: ScaffoldOptions): Promise<TemplateFile[]> {
  const values: Record<string, string> = {
    name,
    kind,
    snake: name.replaceAll("-", "_"),
    test: TEST_COMMANDS[language],
    run: runCommand(kind, name),
    does: runsInPipeline(kind) ? "runs the pipeline of `busbar.yaml`" : whyNoPipeline(kind),
  };
  const fill = (text: string) =>
    text.replace(/\{\{(\w+)\}\}/g, (all, key: string) => values[key] ?? all);
  const files = new Map<string, string>();
  // Cargo.toml and the code say in Rust what plugin.json says elsewhere.
  const manifest = language === "rust" ? [] : [`manifest/${kind}`];
  for (
    const part of [
      "common",
      `kinds/${kind}`,
      ...manifest,
      `${language}/common`,
      `${language}/${kind}`,
    ]
  ) {
    const root = join(TEMPLATES, part);
    for (const file of await listFiles(root)) {
      // A file ".gitignore" would rule the templates' own folder.
      const path = fill(relative(root, file)).replace(/(^|\/)dot_/, "$1.");
      files.set(path, await Deno.readTextFile(file));
    }
  }
  values.files = [...files.keys()].filter((path) => FILE_NOTES.some(([end]) => path.endsWith(end)))
    .sort().map((path) => `| \`${path}\` | ${noteOn(path)} |`).join("\n");
  return [...files].map(([path, content]) => ({ path, content: fill(content) }));
}

/** What the README says of files, by how their names end; the first that fits. */
const FILE_NOTES: [string, string][] = [
  ["plugin.json", "the manifest: name, version, components and their settings"],
  ["build.json", "how it is compiled: language, sources, libraries"],
  ["Cargo.toml", "name, version and dependencies; the components describe themselves in the code"],
  ["go.mod", "dependencies"],
  ["busbar.yaml", "a pipeline that uses it"],
  ["conformance.json", "settings that `busbar plugin test` tries it with"],
  ["lib.rs", "the plugin and its tests"],
  ["_test.go", "its tests"],
  [".go", "the plugin"],
  [".c", "the plugin"],
  [".cpp", "the plugin"],
];

function noteOn(path: string): string {
  if (path.startsWith("test_")) return "its tests";
  return FILE_NOTES.find(([end]) => path.endsWith(end))?.[1] ?? "";
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  if (typeof content === "string") await Deno.writeTextFile(path, content);
  else await Deno.writeFile(path, content);
}

/** The kinds that a project can be made for. */
export const KINDS = COMPONENT_KINDS;
