import { crc32 } from "node:zlib";

const encoder = new TextEncoder();

/** CRC-32 of the values with their lengths, so that nothing can move from one to the next unseen. */
export function checksum(...values: (string | number | bigint | Uint8Array)[]): number {
  let sum = 0;
  for (const value of values) {
    const bytes = value instanceof Uint8Array ? value : encoder.encode(String(value));
    sum = crc32(bytes, crc32(`${bytes.length}:`, sum));
  }
  return sum;
}

/** A sequence number as it goes into a database, which must come out the same. */
export function sequenceNumber(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Cannot store sequence ${value}: it is not between 0 and 2^53`);
}
