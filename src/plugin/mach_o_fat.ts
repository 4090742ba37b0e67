import type { BinaryImage, Machine } from "./binary.ts";
import { type ByteSource, corrupt, notALibrary } from "./byte_source.ts";
import { openMachO } from "./mach_o.ts";
import { Reader } from "./reader.ts";

/** One of the libraries in a fat file. */
interface Slice {
  /** The processor's name, as Apple writes it. */
  readonly name: string;
  readonly machine: Machine | undefined;
  readonly offset: number;
  readonly size: number;
}

const FAT_64 = "cafebabf";
const MAX_SLICES = 32; // a Java class starts with the same four bytes, and then with at least 45
const NAMES: Record<number, string> = {
  7: "i386",
  12: "arm",
  0x01000007: "x86_64",
  0x0100000c: "arm64",
  0x0200000c: "arm64_32",
};
const MACHINES: Record<string, Machine> = { x86_64: "x86_64", arm64: "aarch64", arm64e: "aarch64" };
const ARM64E = 2;

/** Whether a file that begins with these bytes is a fat file: Mach-O libraries for several processors. */
export function isFat(start: Uint8Array): boolean {
  const magic = start.subarray(0, 4).toHex();
  return (magic === "cafebabe" || magic === FAT_64) &&
    (start.length < 8 || new DataView(start.buffer, start.byteOffset).getUint32(4) <= MAX_SLICES);
}

/** Opens the slice for `machine` of the fat file `source`, or the first for a processor that is read. */
export async function openFat(source: ByteSource, machine: Machine): Promise<BinaryImage> {
  const slices = await readSlices(source);
  const names = slices.map(({ name }) => name);
  const slice = slices.find((slice) => slice.machine === machine) ??
    slices.find((slice) => slice.machine !== undefined);
  if (!slice) {
    throw notALibrary(
      source.path,
      `it is a fat file for ${
        names.join(", ") || "no processor"
      }, and only x86-64 and arm64 are read`,
    );
  }
  if (slice.offset + slice.size > source.size) {
    const end = slice.offset + slice.size;
    throw corrupt(
      source.path,
      `truncated: the slice ${slice.name} ends at byte ${end} of ${source.size}`,
    );
  }
  const image = await openMachO(part(source, slice));
  return { ...image, facts: async () => ({ ...await image.facts(), slices: names }) };
}

async function readSlices(source: ByteSource): Promise<Slice[]> {
  const head = new Reader(source.path, await source.read(0, 8), { bigEndian: true });
  const wide = head.u32(0) === 0xcafebabf;
  const entryBytes = wide ? 32 : 20;
  const table = new Reader(source.path, await source.read(8, head.u32(4) * entryBytes), {
    bigEndian: true,
  });
  const slices: Slice[] = [];
  for (let at = 0; at < table.length; at += entryBytes) {
    const processor = table.u32(at);
    const isArm64e = processor === 0x0100000c && (table.u32(at + 4) & 0xff) === ARM64E;
    const name = isArm64e ? "arm64e" : NAMES[processor] ?? `processor ${processor}`;
    slices.push({
      name,
      machine: MACHINES[name],
      offset: wide ? table.u64(at + 8) : table.u32(at + 8),
      size: wide ? table.u64(at + 16) : table.u32(at + 12),
    });
  }
  return slices;
}

/** The bytes of `slice` as a source of its own. */
function part(source: ByteSource, { offset, size }: Slice): ByteSource {
  const { path } = source;
  return {
    path,
    size,
    async read(at, length) {
      if (at + length > size) {
        throw corrupt(path, `truncated: needs ${at + length} bytes, and the slice has ${size}`);
      }
      return await source.read(offset + at, length);
    },
  };
}
