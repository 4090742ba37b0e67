import { Buffer } from "node:buffer";
import type { LanguageRuntime } from "./binary.ts";
import type { ElfImage } from "./elf_image.ts";
import type { SymbolTable } from "./elf_symbols.ts";
import { type FileRange, hasGoBuildInfo, hasGoExport } from "./go_runtime.ts";

const PT_LOAD = 1;
const PT_NOTE = 4;
const EXECUTABLE = 1;
const MAX_NOTE_BYTES = 64 * 1024;

/** Recognises Go libraries by marks that `strip` leaves: their build note, cgo's exports, or the build information. */
export async function readRuntime(
  image: ElfImage,
  symbols: SymbolTable,
  needed: readonly string[],
): Promise<LanguageRuntime | undefined> {
  const go = needed.some((library) => /^libgo\.so\b/.test(library)) ||
    hasGoExport(symbols.exported) || await hasGoNote(image) ||
    await hasGoBuildInfo(image.source, dataOf(image));
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

function dataOf({ segments }: ElfImage): FileRange[] {
  return segments.filter(({ type, flags }) => type === PT_LOAD && !(flags & EXECUTABLE))
    .map(({ offset, fileSize }) => ({ offset, size: fileSize }));
}
