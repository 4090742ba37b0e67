/** Whether the manifests of built plugins agree with the compilers, the target and the lock files that are here now. */
import { join, relative } from "node:path";
import { type BuildLock, readBuildLock } from "../../src/plugin/build_lock.ts";
import { inspectPlugin } from "../../src/plugin/inspect.ts";
import type { Manifest } from "../../src/plugin/manifest.ts";
import { type Project, readProject } from "../../src/project/project.ts";
import { compilerTarget, toolchainVersion } from "../../src/project/toolchain.ts";
import { projectFolders } from "./check_projects.ts";
import { commandExists, run, sha256, statOrNothing } from "./files.ts";

/** What is compared. */
interface Built {
  manifest: Manifest;
  project: Project;
  /** Adds a violation. */
  say: (what: string) => void;
}

const AGAIN = "run scripts/build";

/** Every disagreement of `dist/plugins/` with its sources, as a sentence that names the file and says what to do. */
export async function checkManifests(root: string): Promise<string[]> {
  const violations: string[] = [];
  const projects = new Map<string, Project>();
  for (const folder of await projectFolders(root)) {
    const project = await readProject(folder).catch(() => undefined); // check_projects.ts says what is wrong with it
    if (project) projects.set(project.name, project);
  }
  const lock = await readBuildLock(join(root, "dist/build.lock"));
  for await (const { name } of Deno.readDir(join(root, "dist/plugins"))) {
    const folder = join(root, "dist/plugins", name);
    const say = (what: string) => {
      violations.push(`${relative(root, join(folder, "manifest.json"))}: ${what}`);
    };
    const { manifest, verdict } = await inspectPlugin(folder);
    for (const { reason } of verdict.problems) say(`${reason}; ${AGAIN}`);
    const project = projects.get(name);
    if (!project) say(`no project makes a plugin "${name}"; remove its folder from dist/plugins`);
    else if (manifest) {
      await checkBuild({ manifest, project, say });
      checkLock(manifest, lock, say);
    }
  }
  return violations.sort();
}

async function checkBuild(built: Built): Promise<void> {
  const { manifest: { build, target }, project: { language, folder }, say } = built;
  const compare = (field: string, ours: string, theirs: string | undefined) => {
    if (ours !== theirs) say(`${field} is "${ours}", and here it is "${theirs}"; ${AGAIN}`);
  };
  compare("build.language", build.language, language);
  compare("build.build_profile", build.build_profile, "release");
  compare(
    "build.toolchain_version",
    build.toolchain_version,
    await toolchainVersion(language, folder),
  );
  compare("target", target, await compilerTarget());
  if (Object.keys(build.dependency_hashes).length === 0) {
    say(`build.dependency_hashes is empty; ${AGAIN}`);
  }
  const isSystems = systemPackages(build.dependency_hashes);
  if (language === "rust") await checkCargoLock(built);
  else if (language === "go") await checkGoSum(built);
  else if (isSystems.length === 0) say(`build.dependency_hashes names no system library; ${AGAIN}`);
  if (language !== "rust") await checkPackages(isSystems, say);
}

/** Dependencies with a version of Debian's packages, the names of Go modules having a dot or a slash. */
function systemPackages(hashes: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(hashes).filter(([key]) => /^lib[^/]*@|^[a-z0-9+-]+@\d.*-/.test(key));
}

/** System libraries: the package database's version now, and the hash of one of the package's files. */
async function checkPackages(
  packages: readonly [key: string, hash: string][],
  say: (what: string) => void,
): Promise<void> {
  if (!await commandExists("dpkg-query")) return;
  for (const [key, hash] of packages) {
    const name = key.slice(0, key.indexOf("@"));
    const version = await run(["dpkg-query", "-W", "-f=${Version}\n", name]).catch(() => "");
    const [installed = ""] = version.split("\n");
    if (`${name}@${installed}` !== key) {
      say(`depends on "${key}", and installed is "${installed}"; ${AGAIN}`);
      continue;
    }
    const files = (await run(["dpkg-query", "-L", name])).split("\n")
      .filter((file) => /\.so(\.|$)/.test(file));
    const hashes = await Promise.all(files.map(hashOf));
    if (!hashes.includes(hash)) {
      say(`"${key}" has a hash that no library of that package has; ${AGAIN}`);
    }
  }
}

/** The SHA-256 of a file; empty where there is none. */
async function hashOf(file: string): Promise<string> {
  return (await statOrNothing(file))?.isFile ? sha256(await Deno.readFile(file)) : "";
}

/** Crates: each one's checksum in Cargo.lock. */
async function checkCargoLock({ manifest, project, say }: Built): Promise<void> {
  const text = await Deno.readTextFile(join(project.folder, "Cargo.lock"));
  const locked = new Map<string, string | undefined>();
  for (const entry of text.split("[[package]]").slice(1)) {
    const field = (name: string) => new RegExp(`^${name} = "([^"]*)"`, "m").exec(entry)?.[1];
    locked.set(`${field("name")}@${field("version")}`, field("checksum"));
  }
  for (const [key, hash] of Object.entries(manifest.build.dependency_hashes)) {
    if (!locked.has(key)) say(`depends on "${key}", which Cargo.lock does not list; ${AGAIN}`);
    else if ((locked.get(key) ?? hash) !== hash) {
      say(`"${key}" has another hash than in Cargo.lock; ${AGAIN}`);
    }
  }
}

/** Modules: each one's hash in go.sum. */
async function checkGoSum({ manifest, project, say }: Built): Promise<void> {
  const file = join(project.folder, "go.sum");
  const text = await statOrNothing(file) ? await Deno.readTextFile(file) : "";
  for (const [key, hash] of Object.entries(manifest.build.dependency_hashes)) {
    const [path, version] = [
      key.slice(0, key.lastIndexOf("@")),
      key.slice(key.lastIndexOf("@") + 1),
    ];
    if (!path.includes(".") || !version.startsWith("v")) continue; // the SDK, or a system library
    const sum = text.split("\n").find((line) => line.startsWith(`${path} ${version} h1:`));
    if (!sum) say(`depends on "${key}", which go.sum does not list; ${AGAIN}`);
    else if (Uint8Array.fromBase64(sum.slice(sum.indexOf("h1:") + 3)).toHex() !== hash) {
      say(`"${key}" has another hash than in go.sum; ${AGAIN}`);
    }
  }
}

/** The distribution's build lock says the same. */
function checkLock({ name, build }: Manifest, lock: BuildLock, say: (what: string) => void): void {
  const locked = lock.plugins[name];
  if (!locked) return say(`dist/build.lock has no entry for "${name}"; ${AGAIN}`);
  const pick = ({ toolchain_version, build_profile, dependency_hashes }: typeof locked) =>
    JSON.stringify([toolchain_version, build_profile, Object.entries(dependency_hashes).sort()]);
  if (pick(locked) !== pick(build)) say(`differs from its entry in dist/build.lock; ${AGAIN}`);
}
