import type { ExportedSymbol } from "./binary.ts";
import { readExportTrie } from "./mach_o_trie.ts";
import type { MachImage } from "./mach_o_image.ts";
import { Names } from "./reader.ts";

/** The symbols of a Mach-O library, named as C writes them. */
export interface MachSymbols {
  readonly exported: ExportedSymbol[];
  /** Names that other libraries must provide; weak ones are left out. */
  readonly undefinedSymbols: string[];
}

const LC_SYMTAB = 2;
const LC_DYLD_INFO = 0x22;
const LC_DYLD_INFO_ONLY = 0x80000022;
const LC_DYLD_EXPORTS_TRIE = 0x80000033;
const NLIST_BYTES = 16;
const MAX_SYMBOLS = 1_000_000;
const MAX_TABLE_BYTES = 64 * 1024 * 1024;
const N_STAB = 0xe0;
const N_PRIVATE = 0x10;
const N_TYPE = 0x0e;
const N_EXTERNAL = 1;
const N_WEAK_REF = 0x40;
const UNDEFINED = 0;
const INSTRUCTIONS = 0x80000400; // only instructions, or some

/** Reads exports from the trie that dyld itself uses, where there is one, and everything else from the symbol table. */
export async function readMachSymbols(image: MachImage): Promise<MachSymbols> {
  const { defined, undefinedSymbols } = await readSymbolTable(image);
  const range = trieRange(image);
  const names = range
    ? readExportTrie(image.source.path, await image.source.read(range.offset, range.size))
    : defined;
  const base = range
    ? image.segments.find(({ offset, fileSize }) => offset === 0 && fileSize > 0)?.address ?? 0
    : 0;
  const exported = names.map(({ name, address }): ExportedSymbol => {
    if (address === undefined) return { name: plain(name), kind: "other", address: 0, size: 0 };
    return {
      name: plain(name),
      kind: kindAt(image, base + address),
      address: base + address,
      size: 0,
    };
  });
  return { exported, undefinedSymbols };
}

function trieRange(image: MachImage): { offset: number; size: number } | undefined {
  const [trie] = image.commandsOf(LC_DYLD_EXPORTS_TRIE);
  const [info] = image.commandsOf(LC_DYLD_INFO, LC_DYLD_INFO_ONLY);
  const range = trie
    ? { offset: trie.u32(8), size: trie.u32(12) }
    : info && { offset: info.u32(40), size: info.u32(44) };
  if (!range || range.size === 0) return undefined;
  if (range.size > MAX_TABLE_BYTES) throw image.corrupt(`export trie of ${range.size} bytes`);
  return range;
}

async function readSymbolTable(
  image: MachImage,
): Promise<{ defined: { name: string; address: number }[]; undefinedSymbols: string[] }> {
  const defined: { name: string; address: number }[] = [];
  const undefinedSymbols: string[] = [];
  const [command] = image.commandsOf(LC_SYMTAB);
  const count = command?.u32(12) ?? 0;
  if (!command || count === 0) return { defined, undefinedSymbols };
  const stringBytes = command.u32(20);
  if (count > MAX_SYMBOLS) throw image.corrupt(`${count} symbols`);
  if (stringBytes > MAX_TABLE_BYTES) {
    throw image.corrupt(`string table of ${stringBytes} bytes`);
  }
  const { source } = image;
  const strings = new Names(source.path, await source.read(command.u32(16), stringBytes));
  const bytes = await source.read(command.u32(8), count * NLIST_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += NLIST_BYTES) {
    const type = view.getUint8(at + 4);
    if (type & N_STAB || type & N_PRIVATE || !(type & N_EXTERNAL)) continue;
    const name = strings.at(view.getUint32(at, true));
    const address = Number(view.getBigUint64(at + 8, true));
    if ((type & N_TYPE) !== UNDEFINED) defined.push({ name, address });
    else if (!(view.getUint16(at + 6, true) & N_WEAK_REF)) undefinedSymbols.push(plain(name));
  }
  return { defined, undefinedSymbols };
}

function kindAt(image: MachImage, address: number): ExportedSymbol["kind"] {
  const section = image.sectionAt(address);
  if (!section) return "other";
  return section.flags & INSTRUCTIONS ? "function" : "data";
}

/** `name` without the underscore that compilers put before every name of C. */
function plain(name: string): string {
  return name.startsWith("_") ? name.slice(1) : name;
}
