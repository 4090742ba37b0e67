import type { Machine } from "./binary.ts";
import { type ByteSource, corrupt, notALibrary } from "./byte_source.ts";
import { MAX_NAME_BYTES, Names, Reader, TextBudget } from "./reader.ts";

/** A part of the file that the loader maps. Addresses are relative to the start of the image. */
export interface PeSection {
  readonly address: number;
  readonly offset: number;
  /** How many of its bytes are in the file. */
  readonly fileSize: number;
  readonly executable: boolean;
}

/** What the headers say. */
interface PeHead {
  readonly machine: Machine;
  /** Flags such as `NX_COMPAT`. */
  readonly characteristics: number;
  /** Of Windows, as "6.0". */
  readonly minimumVersion: string;
  /** Whether the marks of Microsoft's linker are between the headers. */
  readonly hasRichHeader: boolean;
  readonly directories: readonly Directory[];
  readonly sections: readonly PeSection[];
}

/** One of the numbered tables; address 0 where there is none. */
export interface Directory {
  readonly address: number;
  readonly size: number;
}

const PROCESSORS: Record<number, Machine> = { 0x8664: "x86_64", 0xaa64: "aarch64" };
const DLL = 0x2000;
const EXECUTE = 0x20000000;
const DOS_BYTES = 64;
const COFF_BYTES = 24; // with the signature before it
const OPTIONAL_BYTES = 112; // without its directories
const SECTION_BYTES = 40;
const MAX_SECTIONS = 96; // what Windows loads
const MAX_DIRECTORIES = 16;
const MAX_HEADER_OFFSET = 1024 * 1024;
const WINDOW_BYTES = 64 * 1024;
const MAX_WINDOWS = 1024;

/** A Windows library as its loader sees it: headers, directories, sections. */
export class PeImage {
  readonly source: ByteSource;
  readonly head: PeHead;
  readonly #budget: TextBudget;
  readonly #windows = new Map<number, Names>();

  private constructor(source: ByteSource, head: PeHead) {
    this.source = source;
    this.head = head;
    this.#budget = new TextBudget(source.path);
  }

  /** Reads the headers of `source`. Throws a PluginError when it is no 64-bit DLL or they are wrong. */
  static async open(source: ByteSource): Promise<PeImage> {
    return new PeImage(source, await readHead(source));
  }

  /** The table `index`; undefined where there is none. */
  directory(index: number): Directory | undefined {
    const directory = this.head.directories[index];
    return directory && directory.address !== 0 && directory.size !== 0 ? directory : undefined;
  }

  /** `length` bytes of what the loader would map at `address`. */
  readAt(address: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (length > this.bytesFrom(address)) {
      throw this.corrupt(`no ${length} bytes at address 0x${address.toString(16)} in the file`);
    }
    return this.source.read(this.#offsetOf(address), length);
  }

  /** A reader of `length` bytes at `address`. */
  async reader(address: number, length: number): Promise<Reader> {
    return new Reader(this.source.path, await this.readAt(address, length));
  }

  /** The text at `address`, which ends before a NUL. */
  async text(address: number): Promise<string> {
    if (this.bytesFrom(address) === 0) {
      throw this.corrupt(`no text at address 0x${address.toString(16)}`);
    }
    const offset = this.#offsetOf(address);
    const start = offset - offset % WINDOW_BYTES;
    let window = this.#windows.get(start);
    if (!window) {
      if (this.#windows.size === MAX_WINDOWS) throw this.corrupt("names all over the file");
      const size = Math.min(this.source.size - start, WINDOW_BYTES + MAX_NAME_BYTES);
      const bytes = await this.source.read(start, size);
      window = new Names(this.source.path, bytes, this.#budget);
      this.#windows.set(start, window);
    }
    return window.at(offset - start);
  }

  /** How many bytes of the file are mapped from `address` on, to the end of its section. */
  bytesFrom(address: number): number {
    const section = this.sectionAt(address);
    return section ? section.address + section.fileSize - address : 0;
  }

  /** The section in whose part of the file `address` lies. */
  sectionAt(address: number): PeSection | undefined {
    return this.head.sections.find((section) =>
      address >= section.address && address < section.address + section.fileSize
    );
  }

  corrupt(reason: string): Error {
    return corrupt(this.source.path, reason);
  }

  #offsetOf(address: number): number {
    const section = this.sectionAt(address);
    return section ? section.offset + address - section.address : 0;
  }
}

/** Whether a file that begins with these bytes is a program or library of Windows or DOS. */
export function isPe(start: Uint8Array): boolean {
  return start[0] === 0x4d && start[1] === 0x5a;
}

async function readHead(source: ByteSource): Promise<PeHead> {
  const { path } = source;
  if (source.size < DOS_BYTES) throw corrupt(path, `truncated: ${source.size} bytes`);
  const start = new Reader(path, await source.read(0, DOS_BYTES)).u32(60);
  if (start < DOS_BYTES || start > MAX_HEADER_OFFSET || start + COFF_BYTES > source.size) {
    throw notALibrary(path, "it is a DOS program");
  }
  const stub = await source.read(DOS_BYTES, start - DOS_BYTES);
  const coff = new Reader(path, await source.read(start, COFF_BYTES));
  if (coff.u32(0) !== 0x4550) throw notALibrary(path, "it is a DOS program");
  if (!(coff.u16(22) & DLL)) {
    throw notALibrary(path, "it is a Windows executable, not a library; link it with -shared");
  }
  const machine = PROCESSORS[coff.u16(4)];
  const size = coff.u16(20);
  const optional = new Reader(path, await source.read(start + COFF_BYTES, size));
  if (optional.u16(0) === 0x10b) {
    throw notALibrary(path, "it is a 32-bit Windows library, and the host is 64-bit");
  }
  if (!machine) {
    throw notALibrary(
      path,
      `it is for processor 0x${
        coff.u16(4).toString(16)
      } (PE machine), and only x86-64 and arm64 are read`,
    );
  }
  if (optional.u16(0) !== 0x20b) throw corrupt(path, `header 0x${optional.u16(0).toString(16)}`);
  const directories: Directory[] = [];
  for (let left = Math.min(optional.u32(108), MAX_DIRECTORIES); left > 0; left--) {
    const at = OPTIONAL_BYTES + directories.length * 8;
    directories.push({ address: optional.u32(at), size: optional.u32(at + 4) });
  }
  return {
    machine,
    characteristics: optional.u16(70),
    minimumVersion: `${optional.u16(48)}.${optional.u16(50)}`,
    hasRichHeader: new TextDecoder("latin1").decode(stub).includes("Rich"),
    directories,
    sections: await readSections(source, start + COFF_BYTES + size, coff.u16(6)),
  };
}

async function readSections(
  source: ByteSource,
  start: number,
  count: number,
): Promise<PeSection[]> {
  const { path } = source;
  if (count > MAX_SECTIONS) throw corrupt(path, `${count} sections`);
  const table = new Reader(path, await source.read(start, count * SECTION_BYTES));
  const sections: PeSection[] = [];
  for (let at = 0; at < table.length; at += SECTION_BYTES) {
    const [memory, stored, offset] = [table.u32(at + 8), table.u32(at + 16), table.u32(at + 20)];
    if (stored > 0 && offset + stored > source.size) {
      throw corrupt(path, `truncated: a section ends at byte ${offset + stored} of ${source.size}`);
    }
    sections.push({
      address: table.u32(at + 12),
      offset,
      fileSize: memory === 0 ? stored : Math.min(memory, stored),
      executable: (table.u32(at + 36) & EXECUTE) !== 0,
    });
  }
  return sections;
}
