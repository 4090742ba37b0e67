import type { BinaryImage, Machine } from "./binary.ts";
import { type ByteSource, notALibrary } from "./byte_source.ts";
import { openElf } from "./elf.ts";
import { isElf } from "./elf_image.ts";
import { isFat, openFat } from "./mach_o_fat.ts";
import { openMachO } from "./mach_o.ts";
import { isMachO } from "./mach_o_image.ts";
import { isPe } from "./pe_image.ts";
import { openPe } from "./pe.ts";

const MAGIC_BYTES = 8;

/**
 * Opens the shared library in `source`, whatever its format; of a fat file the part for `machine`, or the first that can be read.
 * Throws a PluginError: `NotALibrary` for anything but a 64-bit little-endian shared library, `CorruptLibrary` for wrong tables.
 */
export async function openBinary(source: ByteSource, machine: Machine): Promise<BinaryImage> {
  const start = await source.read(0, Math.min(MAGIC_BYTES, source.size));
  if (isElf(start)) return await openElf(source);
  if (isMachO(start)) return await openMachO(source);
  if (isFat(start)) return await openFat(source, machine);
  if (isPe(start)) return await openPe(source);
  const isArchive = new TextDecoder("latin1").decode(start).startsWith("!<arch>");
  throw notALibrary(
    source.path,
    isArchive
      ? "it is a static library; link a shared one with -shared"
      : "it is no shared library: neither ELF, Mach-O nor PE",
  );
}
