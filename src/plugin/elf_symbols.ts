import type { ExportedSymbol } from "./binary.ts";
import type { ElfImage } from "./elf_image.ts";

/** The dynamic symbols of a library. */
export interface SymbolTable {
  readonly exported: ExportedSymbol[];
  /** Names that other libraries must provide; weak ones are left out. */
  readonly undefinedSymbols: string[];
}

const DT_HASH = 4;
const DT_SYMTAB = 6;
const DT_SYMENT = 11;
const DT_GNU_HASH = 0x6ffffef5;
const SYMBOL_BYTES = 24;
const MAX_SYMBOLS = 1_000_000;
const WEAK = 2;
const EXPORTED_BINDINGS = new Set([1, WEAK, 10]); // global, weak, unique
const KINDS: Record<number, ExportedSymbol["kind"]> = { 1: "data", 2: "function", 10: "function" };

/** Reads the dynamic symbol table, whose length only the hash table tells. */
export async function readSymbols(image: ElfImage): Promise<SymbolTable> {
  const address = image.value(DT_SYMTAB);
  if (address === undefined) throw image.corrupt("no symbol table");
  if ((image.value(DT_SYMENT) ?? SYMBOL_BYTES) !== SYMBOL_BYTES) {
    throw image.corrupt("symbols of a wrong size");
  }
  const count = await symbolCount(image);
  if (count > MAX_SYMBOLS) throw image.corrupt(`${count} dynamic symbols`);
  const table = image.reader(await image.readAt(address, count * SYMBOL_BYTES));
  const exported: ExportedSymbol[] = [];
  const undefinedSymbols: string[] = [];
  for (let at = SYMBOL_BYTES; at < table.length; at += SYMBOL_BYTES) { // the first symbol is a null one
    const info = table.u8(at + 4);
    const binding = info >> 4;
    const visibility = table.u8(at + 5) & 3;
    if (!EXPORTED_BINDINGS.has(binding)) continue;
    if (table.u16(at + 6) === 0) {
      if (binding !== WEAK) undefinedSymbols.push(image.string(table.u32(at)));
    } else if (visibility === 0 || visibility === 3) {
      exported.push({
        name: image.string(table.u32(at)),
        kind: KINDS[info & 15] ?? "other",
        address: table.u64(at + 8),
        size: table.u64(at + 16),
      });
    }
  }
  return { exported, undefinedSymbols };
}

async function symbolCount(image: ElfImage): Promise<number> {
  const sysv = image.value(DT_HASH);
  if (sysv !== undefined) return image.reader(await image.readAt(sysv, 8)).u32(4);
  const gnu = image.value(DT_GNU_HASH);
  if (gnu === undefined) throw image.corrupt("no hash table of symbols");
  return await gnuCount(image, gnu);
}

/** The highest bucket starts the last chain, and the lowest bit of a hash ends a chain. */
async function gnuCount(image: ElfImage, address: number): Promise<number> {
  const head = image.reader(await image.readAt(address, 16));
  const [bucketCount, first, bloomWords] = [head.u32(0), head.u32(4), head.u32(8)];
  if (bucketCount > MAX_SYMBOLS || bloomWords > MAX_SYMBOLS) {
    throw image.corrupt("symbol hash table too large");
  }
  const buckets = address + 16 + bloomWords * 8;
  const table = image.reader(await image.readAt(buckets, bucketCount * 4));
  let last = 0;
  for (let at = 0; at < table.length; at += 4) last = Math.max(last, table.u32(at));
  if (last === 0) return first; // nothing is exported, and what is before `first` is imported
  if (last < first) throw image.corrupt("symbol hash table starts before its first symbol");
  const start = buckets + bucketCount * 4 + (last - first) * 4;
  const chain = image.reader(
    await image.readAt(start, Math.min(image.bytesFrom(start), MAX_SYMBOLS * 4)),
  );
  for (let at = 0; at < chain.length; at += 4) {
    if (chain.u32(at) & 1) return last + at / 4 + 1;
  }
  throw image.corrupt("a chain of the symbol hash table has no end");
}
