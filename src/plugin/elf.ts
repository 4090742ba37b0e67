import type { ByteSource } from "./byte_source.ts";
import { ElfImage, type Machine } from "./elf_image.ts";
import { type LanguageRuntime, readRuntime } from "./elf_runtime.ts";
import { type ElfSymbol, readSymbols } from "./elf_symbols.ts";
import { type NeededVersions, newestGlibc, readNeededVersions } from "./elf_versions.ts";

const DT_NEEDED = 1;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const PT_GNU_STACK = 0x6474e551;
const EXECUTABLE = 1;
const FREEBSD = 9;
const MAX_FOLDERS = 256;

/** What a library says to the dynamic loader about the libraries it needs. */
export interface ElfDependencies {
  readonly machine: Machine;
  readonly soname: string | undefined;
  /** Names as written: file names to search for, or paths. */
  readonly needed: string[];
  /** Folders to search, as written: `$ORIGIN` stands for the library's own. */
  readonly runpath: string[];
  /** The older RPATH, which counts only where there is no RUNPATH. */
  readonly rpath: string[];
}

/** What can be known of a shared library without loading it. */
export interface ElfFacts extends ElfDependencies {
  /** A target triple; which libc it ends in is guessed from the needed libraries. */
  readonly target: string;
  readonly exported: readonly ElfSymbol[];
  readonly undefinedSymbols: readonly string[];
  readonly neededVersions: readonly NeededVersions[];
  /** The oldest GLIBC that the library runs with, as "2.34". */
  readonly requiredGlibc: string | undefined;
  readonly runtime: LanguageRuntime | undefined;
  readonly executableStack: boolean;
}

/** Reads all facts of `image`. Throws a PluginError `CorruptLibrary` when tables are wrong. */
export async function readFacts(image: ElfImage): Promise<ElfFacts> {
  const dependencies = readDependencies(image);
  const symbols = await readSymbols(image);
  const neededVersions = await readNeededVersions(image);
  return {
    ...dependencies,
    ...symbols,
    target: targetOf(image, dependencies.needed),
    neededVersions,
    requiredGlibc: newestGlibc(neededVersions.flatMap(({ versions }) => versions)),
    runtime: await readRuntime(image, symbols, dependencies.needed),
    executableStack: image.segments.some(({ type, flags }) =>
      type === PT_GNU_STACK && (flags & EXECUTABLE) !== 0
    ),
  };
}

/** Reads only what resolving needed libraries takes. */
export function readDependencies(image: ElfImage): ElfDependencies {
  const texts = (tag: number) => image.values(tag).map((offset) => image.string(offset));
  const folders = (tag: number) => {
    const list = texts(tag).flatMap((text) => text.split(":")).filter((folder) => folder !== "");
    if (list.length > MAX_FOLDERS) throw image.corrupt(`a run path of ${list.length} folders`);
    return list;
  };
  return {
    machine: image.machine,
    soname: texts(DT_SONAME)[0],
    needed: texts(DT_NEEDED),
    runpath: folders(DT_RUNPATH),
    rpath: folders(DT_RPATH),
  };
}

/** Reads dependencies of `source`; throws a PluginError when it is not a shared library. */
export async function dependenciesOf(source: ByteSource): Promise<ElfDependencies> {
  return readDependencies(await ElfImage.open(source));
}

function targetOf(image: ElfImage, needed: readonly string[]): string {
  if (image.osAbi === FREEBSD) return `${image.machine}-unknown-freebsd`;
  const musl = needed.some((library) => /^(libc\.musl-|ld-musl-|libc\.so$)/.test(library));
  return `${image.machine}-unknown-linux-${musl ? "musl" : "gnu"}`;
}
