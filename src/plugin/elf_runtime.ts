import { Buffer } from "node:buffer";
import type { ElfImage } from "./elf_image.ts";
import type { SymbolTable } from "./elf_symbols.ts";

const PT_LOAD = 1;
const PT_NOTE = 4;
const EXECUTABLE = 1;
const MAX_NOTE_BYTES = 64 * 1024;
const MAX_DATA_BYTES = 32 * 1024 * 1024;
const BUILD_INFO = Buffer.from("\xff Go buildinf:", "latin1");
const GO_SYMBOL = /^(_cgo_|x_cgo_|crosscall2$)/;

/** The language runtime that a library brings along, where two of one kind do not fit into a process. */
export type LanguageRuntime = "go";

/** Recognises Go libraries by marks that `strip` leaves: their build note, cgo's exports, or the build information. */
export async function readRuntime(
  image: ElfImage,
  symbols: SymbolTable,
  needed: readonly string[],
): Promise<LanguageRuntime | undefined> {
  const go = needed.some((library) => /^libgo\.so\b/.test(library)) ||
    symbols.exported.some(({ name }) => GO_SYMBOL.test(name)) ||
    await hasGoNote(image) || await hasGoBuildInfo(image);
  return go ? "go" : undefined;
}

async function hasGoNote(image: ElfImage): Promise<boolean> {
  for (const { type, offset, fileSize } of image.segments) {
    if (type !== PT_NOTE || offset + fileSize > image.source.size) continue;
    const bytes = await image.source.read(offset, Math.min(fileSize, MAX_NOTE_BYTES));
    // A note is {size of owner, size of content, type, owner, content}; Go's owner is "Go" and its type 4.
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes("\x04\0\0\0Go\0\0")) {
      return true;
    }
  }
  return false;
}

async function hasGoBuildInfo(image: ElfImage): Promise<boolean> {
  let left = MAX_DATA_BYTES;
  for (const { type, flags, offset, fileSize } of image.segments) {
    if (type !== PT_LOAD || flags & EXECUTABLE || fileSize === 0) continue;
    const bytes = await image.source.read(offset, Math.min(fileSize, left));
    left -= bytes.length;
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = data.indexOf(BUILD_INFO); at >= 0; at = data.indexOf(BUILD_INFO, at + 1)) {
      // Aligned, and followed by the size of a pointer and flags: not just these words in a program that looks for them.
      if ((offset + at) % 16 === 0 && (data[at + 14] === 8 || (data[at + 15] ?? 0) & 2)) {
        return true;
      }
    }
  }
  return false;
}
