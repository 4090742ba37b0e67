import type { ExportedSymbol } from "./binary.ts";
import type { PeImage } from "./pe_image.ts";
import type { Reader } from "./reader.ts";

/** What a Windows library offers. */
export interface PeExports {
  /** The name that the DLL gives itself. */
  readonly linkName: string | undefined;
  readonly exported: ExportedSymbol[];
}

/** What a Windows library needs of others. */
export interface PeImports {
  readonly needed: string[];
  readonly undefinedSymbols: string[];
}

/** Where the tables of imported names lie, and how they are laid out. */
interface ImportLayout {
  readonly directory: number;
  readonly entryBytes: number;
  readonly name: number;
  /** Fields that lead to the table of functions, the first one that is set counting. */
  readonly functions: readonly number[];
}

const EXPORTS = 0;
const IMPORTS: ImportLayout = { directory: 1, entryBytes: 20, name: 12, functions: [0, 16] };
const DELAYED: ImportLayout = { directory: 13, entryBytes: 32, name: 4, functions: [16] };
const MAX_NAMES = 65_536; // an export's number has 16 bits
const MAX_LIBRARIES = 1024;
const CHUNK_BYTES = 4096;

/** Reads the export directory. Exports that have only a number are left out. */
export async function readExports(image: PeImage): Promise<PeExports> {
  const directory = image.directory(EXPORTS);
  if (!directory) return { linkName: undefined, exported: [] };
  const head = await image.reader(directory.address, 40);
  const [functionCount, count] = [head.u32(20), head.u32(24)];
  if (count > MAX_NAMES || functionCount > MAX_NAMES) {
    throw image.corrupt(`${Math.max(count, functionCount)} exports`);
  }
  const linkName = head.u32(12) === 0 ? undefined : await image.text(head.u32(12));
  if (count === 0) return { linkName, exported: [] };
  const functions = await image.reader(head.u32(28), functionCount * 4);
  const names = await image.reader(head.u32(32), count * 4);
  const numbers = await image.reader(head.u32(36), count * 2);
  const exported: ExportedSymbol[] = [];
  for (let index = 0; index < count; index++) {
    const address = functions.u32(numbers.u16(index * 2) * 4);
    // An address inside the directory is that of a text: the name of another library's function.
    const forwarded = address >= directory.address && address < directory.address + directory.size;
    exported.push({
      name: await image.text(names.u32(index * 4)),
      kind: forwarded ? "other" : kindAt(image, address),
      address,
      size: 0,
    });
  }
  return { linkName, exported };
}

/** Reads what is imported at loading and, after it, at the first call. */
export async function readImports(image: PeImage): Promise<PeImports> {
  const needed: string[] = [];
  const undefinedSymbols: string[] = [];
  for (const layout of [IMPORTS, DELAYED]) {
    const address = image.directory(layout.directory)?.address;
    if (address === undefined) continue;
    for (let at = address;; at += layout.entryBytes) {
      const entry = await image.reader(at, layout.entryBytes);
      const name = entry.u32(layout.name);
      if (name === 0) break;
      if (needed.length === MAX_LIBRARIES) {
        throw image.corrupt(`it needs more than ${MAX_LIBRARIES} libraries`);
      }
      needed.push(await image.text(name));
      const table = layout.functions.map((field) => entry.u32(field)).find((rva) => rva !== 0);
      if (table !== undefined) await readFunctions(image, table, undefinedSymbols);
    }
  }
  return { needed, undefinedSymbols };
}

/** Appends the names in the table at `address`, which ends with a zero; one imported by its number is "#12". */
async function readFunctions(image: PeImage, address: number, names: string[]): Promise<void> {
  for (let at = address;;) {
    const length = Math.min(image.bytesFrom(at), CHUNK_BYTES) & ~7;
    const table: Reader = await image.reader(at, Math.max(8, length));
    for (let entry = 0; entry < table.length; entry += 8) {
      const [low, high] = [table.u32(entry), table.u32(entry + 4)];
      if (low === 0 && high === 0) return;
      if (names.length === MAX_NAMES) throw image.corrupt(`more than ${MAX_NAMES} imports`);
      const byNumber = high >>> 31 === 1;
      names.push(byNumber ? `#${low & 0xffff}` : await image.text(low + 2));
    }
    at += table.length;
  }
}

function kindAt(image: PeImage, address: number): ExportedSymbol["kind"] {
  const section = image.sectionAt(address);
  if (!section) return "other";
  return section.executable ? "function" : "data";
}
