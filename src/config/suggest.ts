/** The number of single-character edits (insert, delete, replace, swap of neighbours) from `a` to `b`. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, beforeLast[j - 2]! + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** Names longer than this are never compared: they are garbage, and comparing costs their product. */
const LONGEST_NAME = 64;

/** The candidate that `name` most likely misspells, or undefined if none is near. */
export function closest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  const wanted = fold(name);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate.length > LONGEST_NAME) continue;
    const other = fold(candidate);
    const shortened = wanted.length >= 3 && other.startsWith(wanted);
    const d = shortened ? 1 : distance(wanted, other);
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll("-", "_");
}

/** `did you mean "x"?` for the nearest candidate, else the list of what there is, else undefined. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates];
  const near = closest(name, all);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (all.length === 0 || all.length > 12) return undefined;
  return `there ${all.length === 1 ? "is" : "are"}: ${all.join(", ")}`;
}
