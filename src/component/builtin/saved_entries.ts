/** States that are texts with a few numbers each: u32 length, text in UTF-8, doubles; little-endian. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface SavedEntry {
  name: string;
  values: number[];
}

/** The bytes of entries, one after the other. */
export function writeEntries(entries: readonly SavedEntry[]): Uint8Array<ArrayBuffer> {
  // No character takes more than three bytes.
  const most = entries.reduce((sum, { name, values }) => sum + size(name.length * 3, values), 0);
  const bytes = new Uint8Array(most);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { name, values } of entries) {
    const { written } = encoder.encodeInto(name, bytes.subarray(at + 4));
    view.setUint32(at, written, true);
    for (const [i, value] of values.entries()) {
      view.setFloat64(at + 4 + written + i * 8, value, true);
    }
    at += size(written, values);
  }
  return bytes.slice(0, at);
}

/** The entries of `bytes`, with `count` numbers each. Throws where they do not fit. */
export function readEntries(bytes: Uint8Array, count: number): SavedEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: SavedEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = at + 4 <= bytes.length ? view.getUint32(at, true) : Infinity;
    const end = at + 4 + length + count * 8;
    if (end > bytes.length) {
      throw new Error(`Cannot read the state: it ends within an entry at byte ${at}`);
    }
    const name = decoder.decode(bytes.subarray(at + 4, at + 4 + length));
    const values = Array.from(
      { length: count },
      (_, i) => view.getFloat64(at + 4 + length + i * 8, true),
    );
    entries.push({ name, values });
    at = end;
  }
  return entries;
}

function size(nameLength: number, values: readonly number[]): number {
  return 4 + nameLength + values.length * 8;
}
