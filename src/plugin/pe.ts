import type { BinaryFacts, BinaryImage } from "./binary.ts";
import type { ByteSource } from "./byte_source.ts";
import { hasGoBuildInfo, hasGoExport } from "./go_runtime.ts";
import { PeImage } from "./pe_image.ts";
import { readExports, readImports } from "./pe_tables.ts";

const SIGNATURE_DIRECTORY = 4;
const MICROSOFT_RUNTIME = /^(vcruntime|msvcp|concrt)\d/i;
const PROTECTIONS: readonly (readonly [flag: number, name: string])[] = [
  [0x20, "HIGH_ENTROPY_VA"],
  [0x40, "ASLR"],
  [0x100, "DEP"],
  [0x4000, "CFG"],
];

/** Opens the Windows library in `source`; throws a PluginError when it is none. */
export async function openPe(source: ByteSource): Promise<BinaryImage> {
  const image = await PeImage.open(source);
  return {
    source,
    machine: image.head.machine,
    facts: () => readFacts(image),
    readAt: (address, length) => image.readAt(address, length),
    bytesFrom: (address) => image.bytesFrom(address),
  };
}

async function readFacts(image: PeImage): Promise<BinaryFacts> {
  const { machine, characteristics, minimumVersion, hasRichHeader, sections } = image.head;
  const exports = await readExports(image);
  const imports = await readImports(image);
  const microsoft = hasRichHeader || imports.needed.some((name) => MICROSOFT_RUNTIME.test(name));
  const data = sections.filter(({ executable }) => !executable)
    .map(({ offset, fileSize }) => ({ offset, size: fileSize }));
  const go = hasGoExport(exports.exported) || await hasGoBuildInfo(image.source, data);
  return {
    ...exports,
    ...imports,
    format: "PE",
    machine,
    target: `${machine}-pc-windows-${microsoft ? "msvc" : "gnu"}`,
    runpath: [],
    rpath: [],
    neededVersions: [],
    requiredGlibc: undefined,
    minimumSystem: `Windows ${minimumVersion}`,
    runtime: go ? "go" : undefined,
    executableStack: false,
    protections: PROTECTIONS.filter(([flag]) => characteristics & flag).map(([, name]) => name),
    signed: image.directory(SIGNATURE_DIRECTORY) !== undefined,
    slices: [],
  };
}
