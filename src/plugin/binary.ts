import type { ByteSource } from "./byte_source.ts";

/** The processors whose libraries are read. */
export type Machine = "x86_64" | "aarch64";

/** The file formats of shared libraries that are read. */
export type BinaryFormat = "ELF" | "Mach-O" | "PE";

/** The language runtime that a library brings along, where two of one kind do not fit into a process. */
export type LanguageRuntime = "go";

/** A name that a library offers to those who load it. */
export interface ExportedSymbol {
  /** As C writes it: without the underscore that Mach-O puts before it. */
  readonly name: string;
  readonly kind: "function" | "data" | "other";
  /** In the address space of the library, where `BinaryImage.readAt` reads. */
  readonly address: number;
  /** In bytes; 0 where the file does not say, as in Mach-O and PE. */
  readonly size: number;
}

/** The symbol versions that a library needs of another one; only ELF has them. */
export interface NeededVersions {
  readonly library: string;
  readonly versions: string[];
}

/** What a library says to its system's loader about the libraries it needs. */
export interface Dependencies {
  readonly machine: Machine;
  /** The name that others link it by: SONAME, install name, or name of the DLL. */
  readonly linkName: string | undefined;
  /** Names as written: file names to search for, or paths. */
  readonly needed: string[];
  /** Folders to search, as written: `$ORIGIN` and `@loader_path` stand for the library's own. */
  readonly runpath: string[];
  /** The older RPATH of ELF, which counts only where there is no RUNPATH. */
  readonly rpath: string[];
}

/** What can be known of a shared library without loading it, whatever its format. */
export interface BinaryFacts extends Dependencies {
  readonly format: BinaryFormat;
  /** A target triple; which C library it ends in is guessed from the needed libraries. */
  readonly target: string;
  readonly exported: readonly ExportedSymbol[];
  /** Names that other libraries must provide; weak ones are left out. */
  readonly undefinedSymbols: readonly string[];
  readonly neededVersions: readonly NeededVersions[];
  /** The oldest GLIBC that the library runs with, as "2.34". */
  readonly requiredGlibc: string | undefined;
  /** The oldest system that the library says it runs on, as "macOS 11.0". */
  readonly minimumSystem: string | undefined;
  readonly runtime: LanguageRuntime | undefined;
  readonly executableStack: boolean;
  /** Defences that the linker turned on, such as "RELRO" or "ASLR". */
  readonly protections: readonly string[];
  /** Whether the file holds a code signature, which is not verified; undefined where the format has none. */
  readonly signed: boolean | undefined;
  /** The processors that a fat file holds code for, as written there; empty for a thin file. The facts are of one of them. */
  readonly slices: readonly string[];
}

/** An open library: facts, and the bytes that its loader would map. Its source must stay open while it is used. */
export interface BinaryImage {
  readonly source: ByteSource;
  readonly machine: Machine;
  /** Reads all facts. Throws a PluginError `CorruptLibrary` when tables are wrong. */
  facts(): Promise<BinaryFacts>;
  /** `length` bytes of what the loader would map at `address`. Throws a PluginError `CorruptLibrary` when the file has none. */
  readAt(address: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** How many bytes of the file are mapped from `address` on, to the end of its part. */
  bytesFrom(address: number): number;
}
