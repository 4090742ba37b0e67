import abiVersions from "../../ffi/abi_versions.json" with { type: "json" };
import type { BinaryFormat, Machine } from "./binary.ts";
import { FileSource } from "./byte_source.ts";
import { ElfImage } from "./elf_image.ts";
import { newestGlibc, readDefinedVersions } from "./elf_versions.ts";
import { PluginError } from "./errors.ts";
import type { LibraryResolver } from "./libraries.ts";

/** The frozen versions of the C contract, as `ffi/abi_versions.json` lists them. */
export interface AbiVersions {
  /** The version this host speaks, "MAJOR.MINOR". */
  readonly current: string;
  readonly versions: readonly { readonly version: string; readonly hash: string }[];
}

/** What plugins are compared with. */
export interface HostFacts {
  /** Target triple of this binary. */
  readonly target: string;
  readonly machine: Machine;
  /** Of the libraries that its loader takes. */
  readonly format: BinaryFormat;
  /** Version of this machine's glibc; undefined without one, or where it was not found. */
  readonly glibc: string | undefined;
  readonly abi: AbiVersions;
}

/** This host, its glibc version read from the library's file. */
export async function readHostFacts(libraries: LibraryResolver): Promise<HostFacts> {
  const machine = Deno.build.arch;
  const path = await libraries.installed("libc.so.6", machine);
  return {
    target: Deno.build.target,
    machine,
    format: formatOf(Deno.build.os),
    glibc: path === undefined ? undefined : await glibcVersion(path),
    abi: abiVersions,
  };
}

function formatOf(system: typeof Deno.build.os): BinaryFormat {
  if (system === "darwin") return "Mach-O";
  return system === "windows" ? "PE" : "ELF";
}

/** The version of the glibc whose `libc.so.6` is at `path`; undefined when it defines none or cannot be read. */
export async function glibcVersion(path: string): Promise<string | undefined> {
  try {
    using source = await FileSource.open(path);
    return newestGlibc(await readDefinedVersions(await ElfImage.open(source)));
  } catch (error) {
    if (error instanceof PluginError) return undefined;
    throw error;
  }
}
