import { corrupt } from "./byte_source.ts";
import { MAX_NAME_BYTES, TextBudget } from "./reader.ts";

/** An entry of an export trie. */
export interface TrieExport {
  readonly name: string;
  /** From the start of the image; undefined for what another library is to provide. */
  readonly address: number | undefined;
}

const REEXPORT = 8;
const MAX_SAFE_SHIFT = 2 ** 49;

/**
 * Reads an export trie: nodes of {size of what ends here, flags and address, number of children, and for each the text that leads
 * to it and its offset}. Throws a PluginError `CorruptLibrary` for nodes that are outside, or that two others lead to.
 */
export function readExportTrie(path: string, bytes: Uint8Array<ArrayBuffer>): TrieExport[] {
  const exports: TrieExport[] = [];
  const budget = new TextBudget(path);
  const seen = new Set<number>();
  const open: { offset: number; prefix: string }[] = [{ offset: 0, prefix: "" }];
  for (let node = open.pop(); node; node = open.pop()) {
    if (seen.has(node.offset)) throw corrupt(path, "an export trie that is no tree");
    seen.add(node.offset);
    const at = new Cursor(path, bytes, node.offset);
    const terminalBytes = at.number();
    const children = at.offset + terminalBytes;
    if (terminalBytes > 0) {
      const flags = at.number();
      const address = at.number();
      exports.push({ name: node.prefix, address: flags & REEXPORT ? undefined : address });
    }
    const list = new Cursor(path, bytes, children);
    for (let left = list.byte(); left > 0; left--) {
      const prefix = node.prefix + list.text();
      budget.take(prefix.length);
      if (prefix.length > MAX_NAME_BYTES) throw corrupt(path, "an export's name has no end");
      open.push({ offset: list.number(), prefix });
    }
  }
  return exports;
}

/** Reads on from a place of the trie. */
class Cursor {
  readonly #path: string;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  offset: number;

  constructor(path: string, bytes: Uint8Array<ArrayBuffer>, offset: number) {
    this.#path = path;
    this.#bytes = bytes;
    this.offset = offset;
  }

  byte(): number {
    const value = this.#bytes[this.offset++];
    if (value === undefined) throw corrupt(this.#path, "an export trie ends inside a node");
    return value;
  }

  /** A number in groups of seven bits, the lowest first. */
  number(): number {
    let value = 0;
    for (let scale = 1; scale < MAX_SAFE_SHIFT; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw corrupt(this.#path, "an export trie with an impossible number");
  }

  text(): string {
    const end = this.#bytes.subarray(this.offset, this.offset + MAX_NAME_BYTES).indexOf(0);
    if (end < 0) throw corrupt(this.#path, "an export trie ends inside a name");
    const text = DECODER.decode(this.#bytes.subarray(this.offset, this.offset + end));
    this.offset += end + 1;
    return text;
  }
}

const DECODER = new TextDecoder();
