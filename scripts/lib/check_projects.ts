/** Whether every plugin project of this repository declares what a plugin here must. */
import { dirname, join, relative, resolve } from "node:path";
import { type JsonObject, type Project, readProject } from "../../src/project/project.ts";
import { listFiles, run, statOrNothing } from "./files.ts";

/** Where projects are looked for, and what was built of them. */
export interface CheckProjectsOptions {
  /** The folder of the repository. */
  root: string;
  /** Folders of projects. @default those in `plugins/` and `ffi/examples/` */
  folders?: readonly string[];
  /** The manifests of what was built, by plugin: projects in Rust declare components in their code. */
  built?: Readonly<Record<string, JsonObject>>;
}

/** What Cargo says of a package. */
interface CargoPackage {
  manifest_path: string;
  version: string;
  description: string | null;
  license: string | null;
  rust_version: string | null;
  targets: { crate_types: string[] }[];
  dependencies: { name: string; path?: string }[];
}

/** What Go says of a module. */
interface GoModule {
  Go?: string;
  Toolchain?: string;
  Require?: { Path: string }[] | null;
  Replace?: { Old: { Path: string }; New: { Path: string; Version?: string } }[] | null;
}

const TEST_FILE = /(^|\/)(test_[^/]*\.(c|cpp)|[^/]*_test\.(go|ts|rs|c|cpp)|tests\/[^/]*\.rs)$/;

/** The folders of the repository at `root` that hold plugin projects. */
export async function projectFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const pattern of ["plugins", "ffi/examples"]) {
    for (const folder of await subfolders(join(root, pattern))) {
      folders.push(...pattern === "plugins" ? [folder] : await subfolders(folder));
    }
  }
  return folders;
}

/** Every violation, as a sentence that names the file and says what to do; empty when all is declared. */
export async function checkProjects(options: CheckProjectsOptions): Promise<string[]> {
  const { root, built = {}, folders = await projectFolders(root) } = options;
  const violations: string[] = [];
  for (const folder of folders) {
    const say = (file: string, what: string) => {
      violations.push(`${relative(root, join(folder, file))}: ${what}`);
    };
    let project: Project;
    try {
      project = await readProject(folder);
    } catch (error) {
      violations.push(`${relative(root, folder)}: ${(error as Error).message}`);
      continue;
    }
    const manifest = project.language === "rust" ? built[project.name] : project.plugin;
    if (!manifest) {
      say("Cargo.toml", "was not built, so its components are not known; run scripts/build");
    } else {checkManifest(manifest, (what) =>
        say(project.language === "rust" ? "src" : "plugin.json", what));}
    await checkReadme(folder, manifest, say);
    await checkTests(root, project, say);
    if (project.language === "rust") await checkRust(root, folder, say);
    else if (project.language === "go") await checkGo(root, folder, say);
    else {checkPaths([
        ...project.build.sources,
        ...project.build.bundle,
        ...includes(project.build.cflags),
      ], {
        root,
        folder,
        say: (what) => say("build.json", what),
      });}
  }
  return violations;
}

/** Calls `say` for what a manifest or `plugin.json` leaves out. */
function checkManifest(manifest: JsonObject, say: (what: string) => void): void {
  for (const field of ["name", "version", "description", "license"]) {
    if (!isText(manifest[field])) say(`"${field}" is missing; add it`);
  }
  const components = Array.isArray(manifest.components) ? manifest.components as JsonObject[] : [];
  if (components.length === 0) say('"components" is empty; declare at least one');
  for (const { kind, name, description, config_schema } of components) {
    const component = `component "${kind} ${name}"`;
    if (!isText(description)) say(`${component} has no description; add one`);
    if (!isObject(config_schema)) {
      say(
        `${component} has no config_schema; add one, with no properties where it has no settings`,
      );
    } else checkSchema(config_schema, `${component}: config_schema`, say);
  }
}

/** Every object says that it takes no other properties, and every property what it is for. */
function checkSchema(schema: JsonObject, where: string, say: (what: string) => void): void {
  const { type, properties, items, additionalProperties } = schema;
  if (type === "object" && additionalProperties !== false && !isObject(additionalProperties)) {
    say(`${where} takes unknown properties; add "additionalProperties": false`);
  }
  if (isObject(items)) checkSchema(items, `${where}[]`, say);
  if (isObject(additionalProperties)) checkSchema(additionalProperties, `${where}.*`, say);
  for (const [name, property] of Object.entries(isObject(properties) ? properties : {})) {
    if (!isObject(property)) continue;
    if (!isText(property.description)) {
      say(`${where}.${name} has no description; add one, with its unit`);
    }
    checkSchema(property, `${where}.${name}`, say);
  }
}

/** A README.md in the folder, or in the one above it that examples of one plugin share, with every setting and an example. */
async function checkReadme(
  folder: string,
  manifest: JsonObject | undefined,
  say: (file: string, what: string) => void,
): Promise<void> {
  const text = await readText(join(folder, "README.md")) ??
    await readText(join(dirname(folder), "README.md"));
  if (text === undefined) {
    say("README.md", "is missing; write one, with all settings and an example");
    return;
  }
  if (!/^ *(```|~~~) *(yaml|json|sh)/m.test(text)) {
    say("README.md", "has no example; add a block of YAML, JSON or commands");
  }
  const components = Array.isArray(manifest?.components) ? manifest.components as JsonObject[] : [];
  for (const { config_schema: schema } of components) {
    const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
    for (const name of Object.keys(properties)) {
      if (!text.includes(`\`${name}\``) && !new RegExp(`^\\s*-?\\s*"?${name}"?:`, "m").test(text)) {
        say("README.md", `does not say what "${name}" is for; describe it`);
      }
    }
  }
}

/** Tests of its own, or an integration test that is named after the plugin or its example. */
async function checkTests(
  root: string,
  { folder, name, language }: Project,
  say: (file: string, what: string) => void,
): Promise<void> {
  const own = (await listFiles(folder)).filter((file) => !/\/(target|dist)\//.test(file));
  if (own.some((file) => TEST_FILE.test(file))) return;
  for (const file of language === "rust" ? own.filter((file) => file.endsWith(".rs")) : []) {
    if ((await Deno.readTextFile(file)).includes("#[cfg(test)]")) return;
  }
  const snake = name.replaceAll("-", "_");
  const names = [snake, snake.replace(/_(c|cpp|rust|go)$/, "")];
  const shared = await listFiles(join(root, "tests"));
  if (shared.some((file) => names.some((name) => file.endsWith(`/${name}_test.ts`)))) return;
  say("", `has no tests; add some, or tests/plugins/${snake}_test.ts`);
}

async function checkRust(
  root: string,
  folder: string,
  say: (file: string, what: string) => void,
): Promise<void> {
  const command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"];
  const text = await run(command, { cwd: folder }).catch((error: Error) => error);
  if (text instanceof Error) return say("Cargo.toml", `cargo cannot read it: ${text.message}`);
  const { packages } = JSON.parse(text) as { packages: CargoPackage[] };
  const manifest = join(folder, "Cargo.toml");
  const crate = packages.find(({ manifest_path }) => manifest_path === manifest);
  if (!crate) {
    return say("Cargo.toml", "is part of a workspace elsewhere; give it a [workspace] of its own");
  }
  const tell = (what: string) => say("Cargo.toml", what);
  if (!crate.description) tell('"description" is missing in [package]; add it');
  if (!crate.license) tell('"license" is missing in [package]; add it');
  if (!crate.rust_version) {
    tell('"rust-version" is missing in [package]; add the oldest that compiles it');
  }
  const types = crate.targets.flatMap(({ crate_types }) => crate_types);
  for (const type of ["cdylib", "rlib"]) {
    if (!types.includes(type)) {
      tell(`crate-type has no "${type}"; put crate-type = ["cdylib", "rlib"] below [lib]`);
    }
  }
  checkPaths(crate.dependencies.flatMap(({ path }) => path ?? []), { root, folder, say: tell });
  if (!await statOrNothing(join(folder, "Cargo.lock"))) {
    say("Cargo.lock", "is missing; run cargo generate-lockfile and commit it");
  } else if (await isIgnored(root, join(folder, "Cargo.lock"))) {
    say("Cargo.lock", "is ignored by git; take it out of .gitignore and commit it");
  }
}

async function checkGo(
  root: string,
  folder: string,
  say: (file: string, what: string) => void,
): Promise<void> {
  const options = { cwd: folder, env: { GOTOOLCHAIN: "local" } };
  const text = await run(["go", "mod", "edit", "-json"], options).catch((error: Error) => error);
  if (text instanceof Error) return say("go.mod", `go cannot read it: ${text.message}`);
  const module = JSON.parse(text) as GoModule;
  const tell = (what: string) => say("go.mod", what);
  if (!module.Go && !module.Toolchain) {
    tell('has no "go" line; add the oldest version that compiles it');
  }
  const replaced = module.Replace ?? [];
  const local = replaced.filter(({ New }) => New.Version === undefined);
  checkPaths(local.map(({ New }) => New.Path), { root, folder, say: tell });
  const fetched = (module.Require ?? []).filter(({ Path }) =>
    !local.some(({ Old }) => Old.Path === Path)
  );
  if (fetched.length === 0) return;
  if (!await statOrNothing(join(folder, "go.sum"))) {
    say("go.sum", "is missing; run go mod tidy and commit it");
  } else if (await isIgnored(root, join(folder, "go.sum"))) {
    say("go.sum", "is ignored by git; take it out of .gitignore and commit it");
  }
}

/** Calls `say` for each path that leads out of the repository. */
function checkPaths(
  paths: readonly string[],
  { root, folder, say }: { root: string; folder: string; say: (what: string) => void },
): void {
  for (const path of paths) {
    if (relative(root, resolve(folder, path)).startsWith("..")) {
      say(
        `"${path}" lies outside of the repository; use a path inside it, or a system library by name`,
      );
    }
  }
}

/** Folders that C compiler flags name. */
function includes(flags: readonly string[]): string[] {
  return flags.flatMap((flag) => /^-[IL](.+)/.exec(flag)?.[1] ?? []);
}

async function isIgnored(root: string, file: string): Promise<boolean> {
  // Success, which says "ignored", is the only answer that counts: there may be no git here.
  return await run(["git", "check-ignore", "-q", file], { cwd: root }).then(
    () => true,
    () => false,
  );
}

async function subfolders(folder: string): Promise<string[]> {
  const folders: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && !name.startsWith(".")) folders.push(join(folder, name));
  }
  return folders.sort();
}

async function readText(path: string): Promise<string | undefined> {
  return await statOrNothing(path) ? await Deno.readTextFile(path) : undefined;
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
