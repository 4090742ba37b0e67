import type { BinaryFacts } from "./binary.ts";
import type { BuildLock } from "./build_lock.ts";
import { compareDotted } from "./elf_versions.ts";
import type { PluginErrorCode } from "./errors.ts";
import type { HostFacts } from "./host_facts.ts";
import type { Manifest } from "./manifest.ts";

/** `abi`: hash, minor and target must fit. `strict`: the build must equal the distribution's as well. */
export type CompatibilityMode = "abi" | "strict";

/** One field in which plugin and host are compared. */
export interface Judgement {
  readonly field: string;
  /** The plugin's value; undefined where it says none. */
  readonly plugin: string | undefined;
  /** What the host has or asks for; undefined where it does not know. */
  readonly host: string | undefined;
  readonly ok: boolean;
  readonly code: PluginErrorCode;
  /** The difference with both values; empty when there is none. */
  readonly message: string;
}

/** What is judged of a plugin. */
export interface Judged {
  readonly abiHash: string | undefined;
  readonly manifest: Manifest;
  readonly binary: BinaryFacts;
}

type Field = [name: string, plugin: string | undefined, host: string | undefined];

/** Compares `plugin` with the host, field by field, in the order in which people should read it. */
export function judgeCompatibility(
  plugin: Judged,
  host: HostFacts,
  options: { mode?: CompatibilityMode; buildLock?: BuildLock } = {},
): Judgement[] {
  const { manifest, binary } = plugin;
  const minor = Number(host.abi.current.split(".")[1]);
  const judgements = [
    ...judgeHash(plugin, host),
    judge("MinorTooNew", ["requires_minor", String(manifest.requires_minor), String(minor)], {
      ok: manifest.requires_minor <= minor,
      hint: "use a newer host",
    }),
    judge("TargetMismatch", ["target", manifest.target, host.target]),
    ...judgeFile(binary, host),
  ];
  if (options.mode === "strict") judgements.push(...judgeBuild(manifest, options.buildLock));
  return judgements;
}

/** Compares with the host what the file says even without a manifest. */
export function judgeFile(binary: BinaryFacts, host: HostFacts): Judgement[] {
  const needs = binary.requiredGlibc;
  return [
    judge("TargetMismatch", ["format of the file", binary.format, host.format]),
    judge("TargetMismatch", ["machine type of the file", binary.machine, host.machine]),
    judge("GlibcTooOld", ["required glibc", needs, host.glibc], {
      ok: needs === undefined || host.glibc === undefined || compareDotted(needs, host.glibc) <= 0,
      hint: "build the plugin on a system no newer than this one",
    }),
  ];
}

function judgeHash({ abiHash, manifest }: Judged, host: HostFacts): Judgement[] {
  const { current, versions } = host.abi;
  const known = versions.find(({ hash }) => hash === abiHash);
  const expected = versions.find(({ version }) => version === current)?.hash;
  const judgements = [judge("AbiMismatch", ["ABI hash", abiHash, expected], {
    ok: known !== undefined,
    hint: `rebuild the plugin with this host's busbar.h, version ${current}`,
  })];
  // One hash stands for a major version, or, while the major version is 0, for a minor one.
  const named = known && series(known.version);
  judgements.push(
    judge("AbiMismatch", ["abi", manifest.abi, named ?? series(current)], {
      ok: series(manifest.abi) === (named ?? series(current)),
    }),
  );
  return judgements;
}

function judgeBuild({ name, build }: Manifest, lock: BuildLock | undefined): Judgement[] {
  const locked = lock && Object.hasOwn(lock.plugins, name) ? lock.plugins[name] : undefined;
  const rows: Field[] = [
    ["toolchain_version", build.toolchain_version, locked?.toolchain_version],
    ["build_profile", build.build_profile, locked?.build_profile],
  ];
  const dependencies = { ...locked?.dependency_hashes, ...build.dependency_hashes };
  for (const key of Object.keys(dependencies).sort()) {
    rows.push([
      `dependency_hashes["${key}"]`,
      build.dependency_hashes[key],
      locked?.dependency_hashes[key],
    ]);
  }
  const hint = locked ? undefined : `the build lock does not list plugin "${name}"`;
  return rows.map((row) => judge("BuildMismatch", row, { ok: row[1] === row[2], hint }));
}

function judge(
  code: PluginErrorCode,
  [field, plugin, host]: Field,
  options: { ok?: boolean; hint?: string | undefined } = {},
): Judgement {
  const { ok = plugin === host, hint } = options;
  const message = ok
    ? ""
    : `${field} differs: plugin ${shown(plugin)}, host ${shown(host)}` + (hint ? ` (${hint})` : "");
  return { field, plugin, host, ok, code, message };
}

function shown(value: string | undefined): string {
  return value === undefined ? "none" : `"${value}"`;
}

function series(version: string): string {
  const [major, minor] = version.split(".");
  return major === "0" ? `0.${minor}` : `${major}`;
}
