import type { NeededVersions } from "./binary.ts";
import type { ElfImage } from "./elf_image.ts";
import { Reader } from "./reader.ts";

const DT_VERNEED = 0x6ffffffe;
const DT_VERNEEDNUM = 0x6fffffff;
const DT_VERDEF = 0x6ffffffc;
const DT_VERDEFNUM = 0x6ffffffd;
const MAX_ENTRIES = 65_536;
const MAX_TABLE_BYTES = 4 * 1024 * 1024;
const WEAK = 2;

/** What `image` needs, by library. Weak needs, which the loader forgives, are left out. */
export async function readNeededVersions(image: ElfImage): Promise<NeededVersions[]> {
  const table = await VersionTable.read(image, DT_VERNEED);
  return table.entries({ start: 0, count: image.value(DT_VERNEEDNUM) ?? 0, next: 12 }).map((at) => {
    const start = at + table.u32(at + 8);
    const versions = table.entries({ start, count: table.u16(at + 2), next: 12 })
      .filter((aux) => !(table.u16(aux + 4) & WEAK))
      .map((aux) => image.string(table.u32(aux + 8)));
    return { library: image.string(table.u32(at + 4)), versions };
  });
}

/** The names of the symbol versions that `image` itself defines. */
export async function readDefinedVersions(image: ElfImage): Promise<string[]> {
  const table = await VersionTable.read(image, DT_VERDEF);
  return table.entries({ start: 0, count: image.value(DT_VERDEFNUM) ?? 0, next: 16 })
    .map((at) => image.string(table.u32(at + table.u32(at + 12))));
}

/** The newest GLIBC among version names such as `GLIBC_2.34`, as "2.34". */
export function newestGlibc(names: Iterable<string>): string | undefined {
  let newest: string | undefined;
  for (const name of names) {
    // Relative relocations in their packed form came with 2.36 and are marked by a name instead of a number.
    const version = name === "GLIBC_ABI_DT_RELR"
      ? "2.36"
      : /^GLIBC_(\d+(?:\.\d+)+)$/.exec(name)?.[1];
    if (version !== undefined && (newest === undefined || compareDotted(version, newest) > 0)) {
      newest = version;
    }
  }
  return newest;
}

/** Compares "2.9" with "2.34" number by number: negative, zero or positive. */
export function compareDotted(left: string, right: string): number {
  const [a, b] = [left.split(".").map(Number), right.split(".").map(Number)];
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The linked lists of one version section. */
class VersionTable extends Reader {
  readonly #image: ElfImage;
  #left = MAX_ENTRIES;

  private constructor(image: ElfImage, bytes: Uint8Array<ArrayBuffer>) {
    super(image.source.path, bytes);
    this.#image = image;
  }

  /** The section at the address under `tag`; without one, an empty table. */
  static async read(image: ElfImage, tag: number): Promise<VersionTable> {
    const address = image.value(tag);
    if (address === undefined) return new VersionTable(image, new Uint8Array());
    const length = Math.min(image.bytesFrom(address), MAX_TABLE_BYTES);
    return new VersionTable(image, await image.readAt(address, length));
  }

  /** Where the entries of a list begin; each holds at `next` how far it is to the one after it. */
  entries(list: { start: number; count: number; next: number }): number[] {
    this.#left -= list.count;
    if (this.#left < 0) throw this.#image.corrupt(`more than ${MAX_ENTRIES} symbol versions`);
    const offsets: number[] = [];
    let at = list.start;
    for (let left = list.count; left > 0; left--) {
      offsets.push(at);
      const step = this.u32(at + list.next);
      if (step === 0) break;
      at += step;
    }
    return offsets;
  }
}
