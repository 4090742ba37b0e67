const decoder = new TextDecoder();

/** Name and value pairs as a record holds them; empty from where their lengths do not fit. */
export function attributePairs(bytes: Uint8Array): [name: string, value: string][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pairs: [string, string][] = [];
  for (let from = 0; from + 8 <= bytes.length;) {
    const name = view.getUint32(from, true);
    const value = view.getUint32(from + 4, true);
    if (from + 8 + name + value > bytes.length) break;
    const text = bytes.subarray(from + 8, from + 8 + name + value);
    pairs.push([decoder.decode(text.subarray(0, name)), decoder.decode(text.subarray(name))]);
    from += 8 + name + value;
  }
  return pairs;
}
