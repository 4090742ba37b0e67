/** Damaging files at random, the same way for the same seed. */

/** A small generator of numbers below `limit`. */
export function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
}

/** A copy of `good` with up to four changes within its first `range` bytes: bytes, numbers at the edges, or bits of itself. */
export function mutate(
  good: Uint8Array<ArrayBuffer>,
  range: number,
  next: (limit: number) => number,
): Uint8Array<ArrayBuffer> {
  const edges = [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, good.length];
  const edge = () => edges[next(edges.length)] ?? 0;
  const bytes = good.slice();
  const view = new DataView(bytes.buffer);
  for (let change = next(4); change >= 0; change--) {
    const at = next(range - 8);
    const choice = next(4);
    if (choice === 0) bytes[at] = next(256);
    else if (choice === 1) view.setUint32(at & ~3, edge(), true);
    else if (choice === 2) view.setBigUint64(at & ~7, BigInt(edge()) << BigInt(next(40)), true);
    else view.setUint32(at & ~3, view.getUint32(next(range - 8) & ~3, true), true);
  }
  return bytes;
}
