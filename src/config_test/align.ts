/** Pairs what is expected with what is there. Both sides are numbered from 0. */

export interface Alignment {
  pairs: [expected: number, actual: number][];
  /** Expected, and not there. */
  missing: number[];
  /** There, and not expected. */
  extra: number[];
}

type Matches = (expected: number, actual: number) => boolean;

/** As many pairs as there can be without changing the order of either side. */
export function alignInOrder(expected: number, actual: number, matches: Matches): Alignment {
  // longest[i][j]: pairs that the expected from i on and the actual from j on can have.
  const longest = Array.from({ length: expected + 1 }, () => new Uint32Array(actual + 1));
  const match = Array.from({ length: expected }, () => new Uint8Array(actual));
  for (let i = expected - 1; i >= 0; i--) {
    for (let j = actual - 1; j >= 0; j--) {
      const here = matches(i, j);
      match[i]![j] = here ? 1 : 0;
      longest[i]![j] = here
        ? longest[i + 1]![j + 1]! + 1
        : Math.max(longest[i + 1]![j]!, longest[i]![j + 1]!);
    }
  }
  const result: Alignment = { pairs: [], missing: [], extra: [] };
  let i = 0;
  let j = 0;
  while (i < expected && j < actual) {
    if (match[i]![j] === 1) result.pairs.push([i++, j++]);
    else if (longest[i + 1]![j]! >= longest[i]![j + 1]!) result.missing.push(i++);
    else result.extra.push(j++);
  }
  while (i < expected) result.missing.push(i++);
  while (j < actual) result.extra.push(j++);
  return result;
}

/** As many pairs as there can be in any order. */
export function alignInAnyOrder(expected: number, actual: number, matches: Matches): Alignment {
  const fits = Array.from({ length: expected }, (_, i) => {
    const those: number[] = [];
    for (let j = 0; j < actual; j++) if (matches(i, j)) those.push(j);
    return those;
  });
  const takenBy = new Map<number, number>();
  const assign = (i: number, seen: Set<number>): boolean => {
    for (const j of fits[i]!) {
      if (seen.has(j)) continue;
      seen.add(j);
      const holder = takenBy.get(j);
      if (holder === undefined || assign(holder, seen)) {
        takenBy.set(j, i);
        return true;
      }
    }
    return false;
  };
  const missing: number[] = [];
  for (let i = 0; i < expected; i++) if (!assign(i, new Set())) missing.push(i);
  const extra = Array.from({ length: actual }, (_, j) => j).filter((j) => !takenBy.has(j));
  const pairs = [...takenBy].map(([j, i]): [number, number] => [i, j]);
  return { pairs: pairs.sort(([a], [b]) => a - b), missing, extra };
}
