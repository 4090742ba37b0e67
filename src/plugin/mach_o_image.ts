import type { Machine } from "./binary.ts";
import { type ByteSource, corrupt, notALibrary } from "./byte_source.ts";
import { Reader } from "./reader.ts";

/** A part of the file that the loader maps. Offsets, addresses and sizes are in bytes. */
export interface MachSegment {
  readonly name: string;
  readonly address: number;
  readonly offset: number;
  readonly fileSize: number;
  readonly executable: boolean;
}

/** A section of a segment; `flags` tell whether it holds instructions. */
export interface MachSection {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly offset: number;
  readonly flags: number;
}

/** A load command: its number and the reader of its own bytes. */
export interface LoadCommand {
  readonly number: number;
  readonly fields: Reader;
}

const PROCESSORS: Record<number, Machine> = { 0x01000007: "x86_64", 0x0100000c: "aarch64" };
const FILE_TYPES: Record<number, string> = {
  1: "an object file",
  2: "an executable",
  4: "a core dump",
  9: "a stub of a library, which holds no code",
  10: "debug information",
};
const DYLIB = 6;
const BUNDLE = 8;
const HEADER_BYTES = 32;
const MAX_COMMANDS = 4096;
const MAX_COMMAND_BYTES = 1024 * 1024;
const MAX_SECTIONS = 255; // a symbol names its section by a byte
const LC_SEGMENT_64 = 0x19;
const SEGMENT_BYTES = 72;
const SECTION_BYTES = 80;
const VM_PROT_EXECUTE = 4;

/** A Mach-O library as the dynamic loader sees it: header, load commands, segments. */
export class MachImage {
  readonly source: ByteSource;
  readonly machine: Machine;
  readonly flags: number;
  readonly commands: readonly LoadCommand[];
  readonly segments: readonly MachSegment[];
  readonly sections: readonly MachSection[];

  private constructor(
    source: ByteSource,
    head: { machine: Machine; flags: number; commands: LoadCommand[] },
  ) {
    this.source = source;
    this.machine = head.machine;
    this.flags = head.flags;
    this.commands = head.commands;
    const tables = readSegments(source, head.commands);
    this.segments = tables.segments;
    this.sections = tables.sections;
  }

  /** Reads the headers of `source`. Throws a PluginError when it is no 64-bit library or its commands are wrong. */
  static async open(source: ByteSource): Promise<MachImage> {
    const { path } = source;
    const start = await source.read(0, Math.min(HEADER_BYTES, source.size));
    const header = new Reader(path, start);
    const magic = header.u32(0);
    if (magic === 0xfeedface || magic === 0xcefaedfe) {
      throw notALibrary(path, "it is a 32-bit macOS library, and the host is 64-bit");
    }
    if (magic !== 0xfeedfacf) throw notALibrary(path, "it is a big-endian macOS library");
    const type = header.u32(12);
    if (type !== DYLIB && type !== BUNDLE) {
      throw notALibrary(
        path,
        `it is ${
          FILE_TYPES[type] ?? `of Mach-O type ${type}`
        }, not a shared library; link it with -dynamiclib`,
      );
    }
    const machine = PROCESSORS[header.u32(4)];
    if (!machine) {
      throw notALibrary(
        path,
        `it is for processor ${header.u32(4)} (Mach-O), and only x86-64 and arm64 are read`,
      );
    }
    return new MachImage(source, {
      machine,
      flags: header.u32(24),
      commands: await readCommands(source, header.u32(16), header.u32(20)),
    });
  }

  /** The commands with one of these numbers, in order. */
  commandsOf(...numbers: number[]): Reader[] {
    return this.commands.filter(({ number }) => numbers.includes(number)).map((c) => c.fields);
  }

  /** `length` bytes of what the loader would map at `address`. */
  readAt(address: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (length > this.bytesFrom(address)) {
      throw this.corrupt(`no ${length} bytes at address 0x${address.toString(16)} in the file`);
    }
    const segment = this.#segmentAt(address);
    return this.source.read((segment?.offset ?? 0) + address - (segment?.address ?? 0), length);
  }

  /** How many bytes of the file are mapped from `address` on, to the end of its segment. */
  bytesFrom(address: number): number {
    const segment = this.#segmentAt(address);
    return segment ? segment.address + segment.fileSize - address : 0;
  }

  /** The section that `address` lies in. */
  sectionAt(address: number): MachSection | undefined {
    return this.sections.find((section) =>
      address >= section.address && address < section.address + section.size
    );
  }

  corrupt(reason: string): Error {
    return corrupt(this.source.path, reason);
  }

  #segmentAt(address: number): MachSegment | undefined {
    return this.segments.find((segment) =>
      address >= segment.address && address < segment.address + segment.fileSize
    );
  }
}

/** Whether a file that begins with these bytes is a thin Mach-O file. */
export function isMachO(start: Uint8Array): boolean {
  return ["cffaedfe", "cefaedfe", "feedfacf", "feedface"].includes(start.subarray(0, 4).toHex());
}

async function readCommands(
  source: ByteSource,
  count: number,
  size: number,
): Promise<LoadCommand[]> {
  const { path } = source;
  if (count > MAX_COMMANDS || size > MAX_COMMAND_BYTES) {
    throw corrupt(path, `${count} load commands of ${size} bytes`);
  }
  const bytes = await source.read(HEADER_BYTES, size);
  const table = new Reader(path, bytes);
  const commands: LoadCommand[] = [];
  for (let at = 0; commands.length < count;) {
    const length = table.u32(at + 4);
    if (length < 8 || at + length > size) {
      throw corrupt(path, `load command ${commands.length} of ${length} bytes`);
    }
    commands.push({
      number: table.u32(at),
      fields: new Reader(path, bytes.subarray(at, at + length)),
    });
    at += length;
  }
  return commands;
}

function readSegments(
  { path, size }: ByteSource,
  commands: readonly LoadCommand[],
): { segments: MachSegment[]; sections: MachSection[] } {
  const segments: MachSegment[] = [];
  const sections: MachSection[] = [];
  for (const { number, fields } of commands) {
    if (number !== LC_SEGMENT_64) continue;
    const segment = {
      name: fields.text(8, 16),
      address: fields.u64(24),
      offset: fields.u64(40),
      fileSize: fields.u64(48),
      executable: (fields.u32(60) & VM_PROT_EXECUTE) !== 0,
    };
    const end = segment.offset + segment.fileSize;
    if (end > size) throw corrupt(path, `truncated: a segment ends at byte ${end} of ${size}`);
    segments.push(segment);
    const count = fields.u32(64);
    if (sections.length + count > MAX_SECTIONS) {
      throw corrupt(path, `more than ${MAX_SECTIONS} sections`);
    }
    for (let index = 0; index < count; index++) {
      const at = SEGMENT_BYTES + index * SECTION_BYTES;
      sections.push({
        name: fields.text(at, 16),
        address: fields.u64(at + 32),
        size: fields.u64(at + 40),
        offset: fields.u32(at + 48),
        flags: fields.u32(at + 64),
      });
    }
  }
  return { segments, sections };
}
