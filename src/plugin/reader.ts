import { corrupt } from "./byte_source.ts";

/** The longest name that is read, in bytes. */
export const MAX_NAME_BYTES = 64 * 1024;
const MAX_TEXT_BYTES = 64 * 1024 * 1024;
const DECODER = new TextDecoder();

/** Reads fixed-width numbers within bounds; a 64-bit number beyond 2^53 is a fault of the file. */
export class Reader {
  readonly #view: DataView;
  readonly #path: string;
  readonly #little: boolean;

  /** Reads `bytes` of the file at `path`, little-endian unless `options` say otherwise. */
  constructor(path: string, bytes: Uint8Array<ArrayBuffer>, options: { bigEndian?: boolean } = {}) {
    this.#path = path;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = !options.bigEndian;
  }
  get length(): number {
    return this.#view.byteLength;
  }
  u8(offset: number): number {
    this.#check(offset, 1);
    return this.#view.getUint8(offset);
  }
  u16(offset: number): number {
    this.#check(offset, 2);
    return this.#view.getUint16(offset, this.#little);
  }
  u32(offset: number): number {
    this.#check(offset, 4);
    return this.#view.getUint32(offset, this.#little);
  }
  u64(offset: number): number {
    this.#check(offset, 8);
    const value = Number(this.#view.getBigUint64(offset, this.#little));
    if (value > Number.MAX_SAFE_INTEGER) {
      throw corrupt(this.#path, `impossible size or address ${value}`);
    }
    return value;
  }
  /** Up to `limit` bytes of text from `offset`; it ends before a NUL. */
  text(offset: number, limit: number): string {
    this.#check(offset, 0);
    const { buffer, byteOffset, byteLength } = this.#view;
    const bytes = new Uint8Array(buffer, byteOffset + offset, Math.min(limit, byteLength - offset));
    const end = bytes.indexOf(0);
    return DECODER.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }
  #check(offset: number, size: number): void {
    if (offset + size > this.#view.byteLength) {
      throw corrupt(this.#path, "a table ends inside an entry");
    }
  }
}

/** How much text may still be read out of a file: names may share bytes, so a small table could hold any amount of it. */
export class TextBudget {
  readonly #path: string;
  #left = MAX_TEXT_BYTES;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes `bytes` away. Throws a PluginError `CorruptLibrary` when nothing is left. */
  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw corrupt(this.#path, `names of more than ${MAX_TEXT_BYTES} bytes`);
  }
}

/** A table of names, each ended by a NUL. */
export class Names {
  readonly #path: string;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #budget: TextBudget;

  constructor(path: string, bytes: Uint8Array<ArrayBuffer>, budget = new TextBudget(path)) {
    this.#path = path;
    this.#bytes = bytes;
    this.#budget = budget;
  }

  /** The text at `offset`. Throws a PluginError `CorruptLibrary` when there is none. */
  at(offset: number): string {
    const table = this.#bytes.subarray(offset, offset + MAX_NAME_BYTES);
    const length = table.indexOf(0);
    if (length < 0) throw corrupt(this.#path, `no text at ${offset} of the string table`);
    this.#budget.take(length);
    return DECODER.decode(table.subarray(0, length));
  }
}
