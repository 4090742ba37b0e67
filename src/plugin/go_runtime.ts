import { Buffer } from "node:buffer";
import type { ExportedSymbol } from "./binary.ts";
import type { ByteSource } from "./byte_source.ts";

const MAX_DATA_BYTES = 32 * 1024 * 1024;
const BUILD_INFO = Buffer.from("\xff Go buildinf:", "latin1");
const GO_SYMBOL = /^(_cgo_|x_cgo_|crosscall2$)/;

/** A part of a file, in bytes. */
export interface FileRange {
  readonly offset: number;
  readonly size: number;
}

/** Whether a name is one that only cgo exports. */
export function hasGoExport(exported: readonly ExportedSymbol[]): boolean {
  return exported.some(({ name }) => GO_SYMBOL.test(name));
}

/** Whether one of the `ranges` of `source` holds the build information that Go writes into every program, which `strip` leaves. */
export async function hasGoBuildInfo(
  source: ByteSource,
  ranges: readonly FileRange[],
): Promise<boolean> {
  let left = MAX_DATA_BYTES;
  for (const { offset, size } of ranges) {
    const length = Math.max(0, Math.min(size, left, source.size - offset));
    if (length === 0) continue;
    left -= length;
    const bytes = await source.read(offset, length);
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
