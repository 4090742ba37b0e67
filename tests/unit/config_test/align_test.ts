import assert from "node:assert/strict";
import { alignInAnyOrder, alignInOrder, type Alignment } from "../../../src/config_test/align.ts";

const inOrder = (a: string, b: string) => alignInOrder(a.length, b.length, (i, j) => a[i] === b[j]);

/** A pattern is a set of letters, any of which it stands for. */
const inAnyOrder = (a: string[], b: string) =>
  alignInAnyOrder(a.length, b.length, (i, j) => a[i]!.includes(b[j]!));

/** Every expected one and every actual one is in exactly one place. */
function whole({ pairs, missing, extra }: Alignment, expected: number, actual: number): void {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  const sorted = (list: number[]) => list.toSorted((a, b) => a - b);
  assert.deepEqual(sorted([...pairs.map(([i]) => i), ...missing]), numbers(expected));
  assert.deepEqual(sorted([...pairs.map(([, j]) => j), ...extra]), numbers(actual));
}

Deno.test("alignInOrder() pairs as many as there can be, in order", () => {
  assert.deepEqual(inOrder("", ""), { pairs: [], missing: [], extra: [] });
  assert.deepEqual(inOrder("abc", "abc").pairs, [[0, 0], [1, 1], [2, 2]]);
  assert.deepEqual(inOrder("abc", "bc"), { pairs: [[1, 0], [2, 1]], missing: [0], extra: [] });
  assert.deepEqual(inOrder("ab", "xaxb"), { pairs: [[0, 1], [1, 3]], missing: [], extra: [0, 2] });
  assert.deepEqual(inOrder("abcd", "xbxd").pairs, [[1, 1], [3, 3]]);
  for (const [a, b] of [["abcabba", "cbabac"], ["aaa", "a"], ["", "xy"], ["xy", ""]] as const) {
    const found = inOrder(a, b);
    whole(found, a.length, b.length);
    assert.equal(found.pairs.every(([i, j]) => a[i] === b[j]), true);
  }
  assert.equal(inOrder("abcabba", "cbabac").pairs.length, 4);
});

Deno.test("alignInAnyOrder() finds a partner for everyone where that is possible", () => {
  // Taken one by one from the front, "a" would leave nothing to the second.
  assert.deepEqual(inAnyOrder(["ab", "a"], "ab"), {
    pairs: [[0, 1], [1, 0]],
    missing: [],
    extra: [],
  });
  assert.deepEqual(inAnyOrder(["abc", "ab", "a"], "abc").missing, []);
  const found = inAnyOrder(["a", "a", "z"], "xab");
  assert.deepEqual(found, { pairs: [[0, 1]], missing: [1, 2], extra: [0, 2] });
  whole(inAnyOrder([], "ab"), 0, 2);
});
