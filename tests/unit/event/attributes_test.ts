import assert from "node:assert/strict";
import { attributeBytes, attributePairs, withAttributes } from "../../../src/event/attributes.ts";

Deno.test("attributes are read as they were written", () => {
  const pairs: [string, string][] = [["a", "1"], ["", ""], ["ä", "😀"], ["a", "2"]];
  assert.deepEqual(attributePairs(attributeBytes(pairs)), pairs);
  assert.deepEqual(attributeBytes([]), new Uint8Array(0));
  assert.deepEqual(attributePairs(attributeBytes(new Map([["x", "y"]]))), [["x", "y"]]);
});

Deno.test("an attribute takes the place of those of its name", () => {
  const raw = attributeBytes([["a", "1"], ["b", "2"], ["a", "3"]]);
  assert.deepEqual(attributePairs(withAttributes(raw, new Map([["a", "4"]]))), [["b", "2"], [
    "a",
    "4",
  ]]);
  assert.deepEqual(attributePairs(withAttributes(raw, new Map([["c", ""]]))), [
    ["a", "1"],
    ["b", "2"],
    ["a", "3"],
    ["c", ""],
  ]);
  assert.deepEqual(attributePairs(raw).length, 3);
});

Deno.test("attributes that are not changed stay byte for byte", () => {
  const raw = attributeBytes([["a", "1"], ["b", "??"], ["c", "\ufeff3"]]);
  const at = raw.indexOf("?".charCodeAt(0));
  raw.set([0xff, 0xfe], at);
  const changed = withAttributes(raw, new Map([["a", null], ["x", null], ["d", "4"]]));
  assert.deepEqual(changed, new Uint8Array([...raw.subarray(10), ...attributeBytes([["d", "4"]])]));
  assert.deepEqual(attributePairs(changed)[1], ["c", "\ufeff3"]);
  assert.deepEqual(withAttributes(raw, new Map([["a", null], ["b", null], ["c", null]])).length, 0);
});
