import type { BinaryFacts, BinaryImage, Dependencies } from "./binary.ts";
import type { ByteSource } from "./byte_source.ts";
import { ElfImage } from "./elf_image.ts";
import { readRuntime } from "./elf_runtime.ts";
import { readSymbols } from "./elf_symbols.ts";
import { newestGlibc, readNeededVersions } from "./elf_versions.ts";

const DT_NEEDED = 1;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_BIND_NOW = 24;
const DT_RUNPATH = 29;
const DT_FLAGS = 30;
const DT_FLAGS_1 = 0x6ffffffb;
const DF_BIND_NOW = 8;
const DF_1_NOW = 1;
const PT_GNU_RELRO = 0x6474e552;
const PT_GNU_STACK = 0x6474e551;
const EXECUTABLE = 1;
const FREEBSD = 9;
const MAX_FOLDERS = 256;

/** Opens the ELF library in `source`; throws a PluginError when it is none. */
export async function openElf(source: ByteSource): Promise<BinaryImage> {
  const image = await ElfImage.open(source);
  return {
    source,
    machine: image.machine,
    facts: () => readFacts(image),
    readAt: (address, length) => image.readAt(address, length),
    bytesFrom: (address) => image.bytesFrom(address),
  };
}

/** Reads all facts of `image`. Throws a PluginError `CorruptLibrary` when tables are wrong. */
export async function readFacts(image: ElfImage): Promise<BinaryFacts> {
  const dependencies = readDependencies(image);
  const symbols = await readSymbols(image);
  const neededVersions = await readNeededVersions(image);
  return {
    ...dependencies,
    ...symbols,
    format: "ELF",
    target: targetOf(image, dependencies.needed),
    neededVersions,
    requiredGlibc: newestGlibc(neededVersions.flatMap(({ versions }) => versions)),
    minimumSystem: undefined,
    runtime: await readRuntime(image, symbols, dependencies.needed),
    executableStack: image.segments.some(({ type, flags }) =>
      type === PT_GNU_STACK && (flags & EXECUTABLE) !== 0
    ),
    protections: protectionsOf(image),
    signed: undefined,
    slices: [],
  };
}

/** Reads only what resolving needed libraries takes. */
export function readDependencies(image: ElfImage): Dependencies {
  const texts = (tag: number) => image.values(tag).map((offset) => image.string(offset));
  const folders = (tag: number) => {
    const list = texts(tag).flatMap((text) => text.split(":")).filter((folder) => folder !== "");
    if (list.length > MAX_FOLDERS) throw image.corrupt(`a run path of ${list.length} folders`);
    return list;
  };
  return {
    machine: image.machine,
    linkName: texts(DT_SONAME)[0],
    needed: texts(DT_NEEDED),
    runpath: folders(DT_RUNPATH),
    rpath: folders(DT_RPATH),
  };
}

/** Reads dependencies of `source`; throws a PluginError when it is not a shared library. */
export async function dependenciesOf(source: ByteSource): Promise<Dependencies> {
  return readDependencies(await ElfImage.open(source));
}

function protectionsOf(image: ElfImage): string[] {
  const bindsNow = image.value(DT_BIND_NOW) !== undefined ||
    ((image.value(DT_FLAGS) ?? 0) & DF_BIND_NOW) !== 0 ||
    ((image.value(DT_FLAGS_1) ?? 0) & DF_1_NOW) !== 0;
  const relro = image.segments.some(({ type }) => type === PT_GNU_RELRO);
  return [...(relro ? ["RELRO"] : []), ...(bindsNow ? ["BIND_NOW"] : [])];
}

function targetOf(image: ElfImage, needed: readonly string[]): string {
  if (image.osAbi === FREEBSD) return `${image.machine}-unknown-freebsd`;
  const musl = needed.some((library) => /^(libc\.musl-|ld-musl-|libc\.so$)/.test(library));
  return `${image.machine}-unknown-linux-${musl ? "musl" : "gnu"}`;
}
