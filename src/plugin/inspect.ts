import { basename, join, resolve } from "node:path";
import type { BinaryFacts, LanguageRuntime } from "./binary.ts";
import type { BuildLock } from "./build_lock.ts";
import { unreadable } from "./byte_source.ts";
import {
  type CompatibilityMode,
  judgeCompatibility,
  judgeFile,
  type Judgement,
} from "./compatibility.ts";
import { ContentsCache, type Fault, type LibraryContents } from "./contents.ts";
import { PluginError } from "./errors.ts";
import { locate, type Location } from "./folder.ts";
import { type HostFacts, readHostFacts } from "./host_facts.ts";
import { LibraryResolver, type ResolvedLibraries } from "./libraries.ts";
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from "./manifest.ts";

/** What plugins are inspected with; each part defaults to this host's own. */
export interface InspectOptions {
  host?: HostFacts;
  /** @default "abi" */
  mode?: CompatibilityMode;
  /** The distribution's build, which `strict` compares with. */
  buildLock?: BuildLock;
  /** Names of libraries that are in the cell before plugins: what `preloadNames()` gives. */
  provided?: ReadonlySet<string>;
  libraries?: LibraryResolver;
  cache?: ContentsCache;
}

/** All that is known of a plugin without running any of it. */
export interface Inspection {
  /** Absolute path of what was inspected: a library, or the folder of a plugin. */
  readonly path: string;
  readonly library: string;
  /** The plugin's own folder; undefined for a flat file. */
  readonly folder: string | undefined;
  /** From the manifest, else the file's name. */
  readonly name: string;
  /** Of the library, in bytes. */
  readonly size: number;
  /** SHA-256 of the library, in hex. */
  readonly digest: string;
  readonly manifest: Manifest | undefined;
  readonly abiHash: string | undefined;
  readonly binary: BinaryFacts;
  readonly runtime: LanguageRuntime | undefined;
  readonly libraries: ResolvedLibraries;
  /** The comparison with the host, field by field; without a manifest, only what the file itself says. */
  readonly compatibility: readonly Judgement[];
  readonly verdict: { readonly ok: boolean; readonly problems: readonly Fault[] };
  readonly warnings: readonly string[];
}

/** An inspection whose verdict is good, so that what a good plugin has is there. */
export type GoodInspection = Inspection & { readonly manifest: Manifest; readonly abiHash: string };

/**
 * Inspects the plugin at `path`: a library, or a folder that holds `manifest.json` and one library. Runs nothing of it. Faults of
 * the plugin are in the verdict; throws a PluginError when there is no readable shared library at all.
 */
export async function inspectPlugin(
  path: string,
  options: InspectOptions = {},
): Promise<Inspection> {
  const { libraries = new LibraryResolver(), cache = new ContentsCache(), provided } = options;
  const location = await locate(resolve(path));
  const { library, folder } = location;
  const host = options.host ?? await readHostFacts(libraries);
  const contents = await cache.read(library, host.machine);
  const { manifest, faults } = await readManifests(location, contents);
  const { binary, abiHash } = contents;
  const compatibility = manifest
    ? judgeCompatibility({ abiHash, manifest, binary }, host, options)
    : judgeFile(binary, host);
  const resolved = isForHost(binary, host)
    ? await libraries.resolve(library, binary, {
      unit: folder ?? library,
      ...(provided && { provided }),
    })
    : { found: [], missing: [] };
  const problems: Fault[] = [
    ...contents.faults,
    ...faults,
    ...compatibility.filter(({ ok }) => !ok).map(({ code, message }) => ({
      code,
      reason: message,
    })),
    ...resolved.missing.map(({ name, neededBy, reason }): Fault => ({
      code: "MissingLibrary",
      reason:
        `library "${name}", needed by "${neededBy}", is missing: ${reason}; install it, put it beside the plugin, or name it in plugins.preload`,
    })),
  ];
  return {
    path: location.path,
    library,
    folder,
    name: manifest?.name ?? basename(library),
    size: contents.size,
    digest: contents.digest,
    manifest,
    abiHash,
    binary,
    runtime: binary.runtime,
    libraries: resolved,
    compatibility,
    verdict: { ok: problems.length === 0, problems },
    warnings: warningsOf(binary),
  };
}

/** `inspection` as a good one; throws `refusalOf(inspection)` when it is not. */
export function requireGood(inspection: Inspection): GoodInspection {
  if (isGood(inspection)) return inspection;
  throw refusalOf(inspection);
}

/** The error that lists every problem of an inspection whose verdict is bad; its code is the first problem's. */
export function refusalOf({ name, path, verdict }: Inspection): PluginError {
  const reasons = verdict.problems.map(({ reason }) => reason).join("; ");
  const code = verdict.problems[0]?.code ?? "LoadFailed";
  return new PluginError(code, `Cannot load plugin "${name}" from "${path}": ${reasons}`, { path });
}

/** Whether the plugin may be loaded. */
export function isGood(inspection: Inspection): inspection is GoodInspection {
  return inspection.verdict.ok;
}

/** Whether the host's loader takes such files at all, so that it makes sense to look for what they need. */
function isForHost(binary: BinaryFacts, host: HostFacts): boolean {
  return binary.format === host.format && binary.machine === host.machine;
}

/** The embedded manifest, and what is wrong with it or with its copy beside the library. */
async function readManifests(
  location: Location,
  contents: LibraryContents,
): Promise<{ manifest: Manifest | undefined; faults: Fault[] }> {
  const embedded = contents.manifest;
  if (!embedded) return { manifest: undefined, faults: [] };
  const faults: Fault[] = [];
  if (location.folder !== undefined) {
    const file = join(location.folder, "manifest.json");
    const difference = firstDifference(await readCopy(file), embedded);
    if (difference) {
      faults.push({
        code: "ManifestDiffers",
        reason: `"${file}" differs from the embedded manifest ${difference}`,
      });
    }
  }
  try {
    return { manifest: parseManifest(embedded, { file: location.library }), faults };
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    return {
      manifest: undefined,
      faults: [{ code: error.code, reason: error.message }, ...faults],
    };
  }
}

async function readCopy(file: string): Promise<Uint8Array> {
  try {
    const { isFile, size } = await Deno.stat(file);
    if (!isFile || size > MAX_MANIFEST_BYTES) {
      const reason = isFile ? `larger than ${MAX_MANIFEST_BYTES} bytes` : "not a file";
      throw new PluginError("InvalidManifest", `Cannot read the manifest "${file}": ${reason}`, {
        path: file,
      });
    }
    return await Deno.readFile(file);
  } catch (error) {
    throw error instanceof PluginError ? error : unreadable(file, error);
  }
}

function firstDifference(copy: Uint8Array, embedded: Uint8Array): string | undefined {
  const length = Math.min(copy.length, embedded.length);
  let at = 0;
  while (at < length && copy[at] === embedded[at]) at++;
  if (at === copy.length && at === embedded.length) return undefined;
  const line = copy.subarray(0, at).filter((byte) => byte === 10).length + 1;
  return `at byte ${at}, line ${line} (${copy.length} bytes beside the library, ${embedded.length} inside)`;
}

function warningsOf(binary: BinaryFacts): string[] {
  const warnings: string[] = [];
  if (binary.runtime === "go") {
    warnings.push(
      "holds a Go runtime, and a process can hold only one: give each Go plugin a cell of its own",
    );
  }
  if (binary.format === "ELF" && binary.executableStack) {
    warnings.push(
      "asks for an executable stack, which glibc 2.41 and later refuse: link it with -z noexecstack",
    );
  }
  return warnings;
}
