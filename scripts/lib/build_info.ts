import { join } from "node:path";
import { sdkPaths } from "../../src/project/sdk_files.ts";
import { hashFiles, listFiles, sha256 } from "./files.ts";
import type { JsonObject } from "./build_plugins.ts";
import type { SourceState } from "./source_state.ts";

/** One npm package that is part of the binary or of its build. */
export interface Dependency {
  name: string;
  version: string;
  integrity: string;
}

/** `dist/build_info.json`, embedded in the binary: what `busbar version` tells. */
export interface BuildInfo {
  version: string;
  /** Names the code: the same sources, dependencies, shim and runtime give the same id. 64 hex digits. */
  buildId: string;
  gitCommit: string | null;
  /** ISO 8601. */
  buildTime: string;
  deno: string;
  v8: string;
  typescript: string;
  /** SHA-256 of the runtime under the program; `null` where Deno took it from its own cache. */
  denortSha256: string | null;
  target: string;
  abi: { version: string; hash: string };
  dependencies: Dependency[];
  /** Built-in components that `--builtins` has left out, as `kind/name`. */
  leftOut: string[];
}

/** What {@linkcode makeBuildInfo} needs besides the sources. */
export interface BuildInfoOptions {
  source: SourceState;
  denortSha256: string | null;
  /** Path of the compiled shim. */
  shim: string;
  /** @default none */
  leftOut?: string[];
  /** The keys in `deno.lock` of what becomes part of the binary. @default all */
  packages?: ReadonlySet<string>;
}

/** The files that the binary is made of, sorted, besides what the build generates. */
export async function binarySources(root: string): Promise<string[]> {
  const files = [join(root, "main.ts"), join(root, "deno.json"), join(root, "deno.lock")];
  files.push(...await listFiles(join(root, "src")));
  files.push(...await listFiles(join(root, "ffi/conformance")));
  for await (const { name } of Deno.readDir(join(root, "ffi"))) {
    if (/\.(ts|json)$/.test(name)) files.push(join(root, "ffi", name));
  }
  for (const path of await sdkPaths(join(root, "ffi"))) files.push(join(root, "ffi", path));
  return files.sort();
}

/** Collects what the binary says about itself. */
export async function makeBuildInfo(root: string, options: BuildInfoOptions): Promise<BuildInfo> {
  const { source, denortSha256, shim, leftOut = [], packages } = options;
  const { version } = await readJson(join(root, "deno.json")) as { version: string };
  const abi = await readJson(join(root, "ffi/abi_versions.json")) as AbiVersions;
  const hash = abi.versions.find((entry) => entry.version === abi.current)?.hash;
  if (!hash) {
    throw new Error(
      `Cannot build: ffi/abi_versions.json lists no hash for its current version "${abi.current}"`,
    );
  }
  const sources = await hashFiles(root, [...await binarySources(root), shim]);
  return {
    version,
    buildId: sha256(sources, denortSha256 ?? Deno.version.deno, Deno.build.target),
    gitCommit: source.commit,
    buildTime: source.time,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    typescript: Deno.version.typescript,
    denortSha256,
    target: Deno.build.target,
    abi: { version: abi.current, hash },
    dependencies: dependenciesOf(await readJson(join(root, "deno.lock")) as DenoLock, packages),
    leftOut,
  };
}

/**
 * The npm packages that a `deno.lock` names, all or those of some keys. A key there may end with the peers that the package
 * was resolved with.
 */
export function dependenciesOf(lock: DenoLock, keys?: ReadonlySet<string>): Dependency[] {
  const entries = Object.entries(lock.npm ?? {}).filter(([key]) => keys?.has(key) ?? true);
  return entries.map(([key, { integrity }]) => {
    const at = key.indexOf("@", 1);
    return { name: key.slice(0, at), version: key.slice(at + 1).split("_")[0]!, integrity };
  });
}

/** `dist/build.lock`: what each plugin of this distribution was built with, for `compatibility: strict`. */
export function makeBuildLock(manifests: JsonObject[]): JsonObject {
  const plugins = manifests.map((manifest) => {
    const build = manifest.build as JsonObject;
    const { language, toolchain_version, build_profile, dependency_hashes } = build;
    return [manifest.name, { language, toolchain_version, build_profile, dependency_hashes }];
  });
  return { plugins: Object.fromEntries(plugins) };
}

/** The part of a `deno.lock` that is read here. */
export interface DenoLock {
  npm?: Record<string, { integrity: string }>;
}

interface AbiVersions {
  current: string;
  versions: { version: string; hash: string }[];
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await Deno.readTextFile(path));
}
