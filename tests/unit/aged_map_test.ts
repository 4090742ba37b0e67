import assert from "node:assert/strict";
import { AgedMap } from "../../src/aged_map.ts";
import { numbers } from "./component/processing.ts";

Deno.test("an aged map knows its oldest key, whatever is set and deleted", () => {
  const chance = numbers(5);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  const map = new AgedMap<number>([["a", 1], ["b", 2]]);
  const plain = new Map(map);
  for (let round = 0; round < 20_000; round++) {
    const key = `k${next(60)}`;
    const what = next(100);
    if (what === 0) {
      map.clear();
      plain.clear();
    } else if (what < 45) assert.equal(map.delete(key), plain.delete(key));
    else {
      map.set(key, round);
      plain.set(key, round);
    }
    if (next(3) > 0) assert.equal(map.oldest, plain.keys().next().value);
    if (next(3) === 0 && map.oldest !== undefined) {
      plain.delete(map.oldest);
      map.delete(map.oldest);
    }
  }
  assert.deepEqual([...map], [...plain]);
});
