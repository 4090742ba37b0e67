import type { Machine } from "./binary.ts";
import { type ByteSource, corrupt, notALibrary } from "./byte_source.ts";
import { Names, Reader } from "./reader.ts";

/** A part of the file that the loader maps. Offsets, addresses and sizes are in bytes. */
export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

const MACHINES: Record<number, Machine> = { 62: "x86_64", 183: "aarch64" };
const FILE_TYPES: Record<number, string> = {
  1: "an object file",
  2: "an executable",
  4: "a core dump",
};
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const MAX_SEGMENTS = 512;
const MAX_DYNAMIC_BYTES = 256 * 1024;
const MAX_STRING_TABLE_BYTES = 64 * 1024 * 1024;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_FLAGS_1 = 0x6ffffffb;
const DF_1_NOOPEN = 0x40;
const DF_1_PIE = 0x08000000;

/** A shared library as the dynamic loader sees it: segments and dynamic section. Section headers are not looked at. */
export class ElfImage {
  readonly source: ByteSource;
  readonly machine: Machine;
  /** The operating system's number in the header: 0 or 3 on Linux. */
  readonly osAbi: number;
  readonly segments: readonly Segment[];
  readonly #dynamic: readonly (readonly [tag: number, value: number])[];
  readonly #strings: Names;

  private constructor(
    source: ByteSource,
    head: { machine: Machine; osAbi: number; segments: Segment[] },
    tables: { dynamic: [number, number][]; strings: Uint8Array<ArrayBuffer> },
  ) {
    this.source = source;
    this.machine = head.machine;
    this.osAbi = head.osAbi;
    this.segments = head.segments;
    this.#dynamic = tables.dynamic;
    this.#strings = new Names(source.path, tables.strings);
  }

  /**
   * Reads headers, dynamic section and string table of `source`, which must stay open while the image is used.
   * Throws a PluginError: `NotALibrary` for anything but a 64-bit little-endian shared library, `CorruptLibrary` for wrong tables.
   */
  static async open(source: ByteSource): Promise<ElfImage> {
    const { path } = source;
    const head = await readHead(source);
    const section = head.segments.find(({ type }) => type === PT_DYNAMIC);
    if (!section) throw notALibrary(path, "it has no dynamic section; link it with -shared");
    if (section.fileSize > MAX_DYNAMIC_BYTES) {
      throw corrupt(path, `dynamic section of ${section.fileSize} bytes`);
    }
    const dynamic = readDynamic(
      path,
      await readAt(source, head.segments, section.address, section.fileSize),
    );
    const value = (tag: number) => dynamic.find((entry) => entry[0] === tag)?.[1];
    const flags = value(DT_FLAGS_1) ?? 0;
    if (flags & DF_1_PIE) {
      throw notALibrary(path, "it is an executable, not a shared library; link it with -shared");
    }
    if (flags & DF_1_NOOPEN) {
      throw notALibrary(path, "it forbids dlopen; link it without -z nodlopen");
    }
    const [address, size] = [value(DT_STRTAB), value(DT_STRSZ)];
    if (address === undefined || size === undefined) throw corrupt(path, "no string table");
    if (size > MAX_STRING_TABLE_BYTES) throw corrupt(path, `string table of ${size} bytes`);
    const strings = await readAt(source, head.segments, address, size);
    return new ElfImage(source, head, { dynamic, strings });
  }

  /** The first value under `tag` of the dynamic section. */
  value(tag: number): number | undefined {
    return this.#dynamic.find((entry) => entry[0] === tag)?.[1];
  }

  /** Every value under `tag` of the dynamic section, in order. */
  values(tag: number): number[] {
    return this.#dynamic.filter((entry) => entry[0] === tag).map((entry) => entry[1]);
  }

  /** The text at `offset` of the string table. */
  string(offset: number): string {
    return this.#strings.at(offset);
  }

  /** `length` bytes of what the loader would map at `address`. */
  readAt(address: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return readAt(this.source, this.segments, address, length);
  }

  /** How many bytes of the file are mapped from `address` on, to the end of its segment. */
  bytesFrom(address: number): number {
    const segment = segmentAt(this.segments, address);
    return segment ? segment.address + segment.fileSize - address : 0;
  }

  reader(bytes: Uint8Array<ArrayBuffer>): Reader {
    return new Reader(this.source.path, bytes);
  }

  corrupt(reason: string): Error {
    return corrupt(this.source.path, reason);
  }
}

async function readHead(
  source: ByteSource,
): Promise<{ machine: Machine; osAbi: number; segments: Segment[] }> {
  const { path } = source;
  const start = await source.read(0, Math.min(64, source.size));
  if (!isElf(start)) throw notALibrary(path, "not an ELF library");
  if (start.length < 64) throw corrupt(path, `truncated: ${start.length} bytes`);
  const header = new Reader(path, start);
  if (header.u8(4) !== 2) throw notALibrary(path, "it is a 32-bit library, and the host is 64-bit");
  if (header.u8(5) !== 1) {
    throw notALibrary(path, "it is big-endian, and the host is little-endian");
  }
  const type = header.u16(16);
  if (type !== 3) {
    throw notALibrary(
      path,
      `it is ${
        FILE_TYPES[type] ?? `of ELF type ${type}`
      }, not a shared library; link it with -shared`,
    );
  }
  const machine = MACHINES[header.u16(18)];
  if (!machine) {
    throw notALibrary(
      path,
      `it is for processor ${header.u16(18)} (ELF machine), and only x86-64 and aarch64 are read`,
    );
  }
  const count = header.u16(56);
  if (header.u16(54) !== 56 || count === 0 || count > MAX_SEGMENTS) {
    throw corrupt(path, `${count} program headers of ${header.u16(54)} bytes`);
  }
  const table = new Reader(path, await source.read(header.u64(32), count * 56));
  const segments: Segment[] = [];
  for (let at = 0; at < table.length; at += 56) {
    const segment = {
      type: table.u32(at),
      flags: table.u32(at + 4),
      offset: table.u64(at + 8),
      address: table.u64(at + 16),
      fileSize: table.u64(at + 32),
    };
    if (segment.type === PT_LOAD && segment.offset + segment.fileSize > source.size) {
      throw corrupt(
        path,
        `truncated: a segment ends at byte ${segment.offset + segment.fileSize} of ${source.size}`,
      );
    }
    segments.push(segment);
  }
  return { machine, osAbi: header.u8(7), segments };
}

function readDynamic(path: string, bytes: Uint8Array<ArrayBuffer>): [number, number][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: [number, number][] = [];
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const tag = Number(view.getBigInt64(at, true));
    if (tag === 0) return entries;
    // Values of tags that are not looked at may use all 64 bits, so they are not checked here; readers check what they use.
    entries.push([tag, Number(view.getBigUint64(at + 8, true))]);
  }
  throw corrupt(path, "the dynamic section has no end");
}

function segmentAt(segments: readonly Segment[], address: number): Segment | undefined {
  return segments.find((segment) =>
    segment.type === PT_LOAD && address >= segment.address &&
    address < segment.address + segment.fileSize
  );
}

function readAt(
  source: ByteSource,
  segments: readonly Segment[],
  address: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const segment = segmentAt(segments, address);
  if (!segment || address + length > segment.address + segment.fileSize) {
    throw corrupt(
      source.path,
      `no ${length} bytes at address 0x${address.toString(16)} in the file`,
    );
  }
  return source.read(segment.offset + address - segment.address, length);
}

/** Whether a file that begins with these bytes is ELF. */
export function isElf(start: Uint8Array): boolean {
  return start[0] === 0x7f && start[1] === 0x45 && start[2] === 0x4c && start[3] === 0x46;
}
