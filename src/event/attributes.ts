const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
/** Bytes before a name: its length and that of its value. */
const LENGTHS = 8;

/** Name and value pairs as a record holds them; empty from where their lengths do not fit. */
export function attributePairs(bytes: Uint8Array): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  eachPair(bytes, ({ from, value, end }) => {
    pairs.push([
      decoder.decode(bytes.subarray(from + LENGTHS, value)),
      decoder.decode(bytes.subarray(value, end)),
    ]);
  });
  return pairs;
}

/** Where a pair begins, where its value does, and where it ends. */
interface Place {
  from: number;
  value: number;
  end: number;
}

function eachPair(bytes: Uint8Array, visit: (place: Place) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let from = 0; from + LENGTHS <= bytes.length;) {
    const value = from + LENGTHS + view.getUint32(from, true);
    const end = value + view.getUint32(from + 4, true);
    if (end > bytes.length) break;
    visit({ from, value, end });
    from = end;
  }
}

/** Attributes as a record holds them. */
export function attributeBytes(
  pairs: Iterable<readonly [name: string, value: string]>,
): Uint8Array {
  const texts = [...pairs].map((pair) => pair.map((text) => encoder.encode(text)));
  const bytes = new Uint8Array(
    texts.reduce((sum, [name, value]) => sum + 8 + name!.length + value!.length, 0),
  );
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [name, value] of texts) {
    view.setUint32(at, name!.length, true);
    view.setUint32(at + 4, value!.length, true);
    bytes.set(name!, at + 8);
    bytes.set(value!, at + 8 + name!.length);
    at += 8 + name!.length + value!.length;
  }
  return bytes;
}

/**
 * `raw`, attributes as a record holds them, with those that `changes` names set, or removed where it has null. The others
 * stay byte for byte.
 */
export function withAttributes(
  raw: Uint8Array,
  changes: ReadonlyMap<string, string | null>,
): Uint8Array {
  const set = [...changes].filter((pair): pair is [string, string] => pair[1] !== null);
  const added = attributeBytes(set);
  const bytes = new Uint8Array(raw.length + added.length);
  let at = 0;
  eachPair(raw, ({ from, value, end }) => {
    if (changes.has(decoder.decode(raw.subarray(from + LENGTHS, value)))) return;
    bytes.set(raw.subarray(from, end), at);
    at += end - from;
  });
  bytes.set(added, at);
  return bytes.subarray(0, at + added.length);
}
