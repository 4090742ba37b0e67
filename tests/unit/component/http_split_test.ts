import assert from "node:assert/strict";
import {
  elements,
  lines,
  type Splitter,
  whole,
} from "../../../src/component/builtin/http_split.ts";
import { pointerReader } from "../../../src/component/builtin/json_pointer.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function all(text: string, split: (body: Uint8Array) => Splitter): string[] {
  const body = bytes(text);
  const splitter = split(body);
  const found: string[] = [];
  for (let span = splitter.next(); span !== undefined; span = splitter.next()) {
    found.push(new TextDecoder().decode(body.subarray(...span)));
  }
  assert.equal(splitter.count, found.length);
  return found;
}

Deno.test("lines end in LF or CRLF, the last one need not, and empty ones are none", () => {
  assert.deepEqual(all("a\nb\r\n\r\n\n c \nd", lines), ["a", "b", " c ", "d"]);
  assert.deepEqual(all("", lines), []);
  assert.deepEqual(all("\n\r\n", lines), []);
  assert.deepEqual(all("a\r", lines), ["a"]);
  assert.deepEqual(all("a\nb", whole), ["a\nb"]);
  assert.deepEqual(lines(bytes("\ufeffa\nb")).next(), [3, 4]);
});

Deno.test("elements are as they are written", () => {
  const text =
    '\ufeff [ 1.50, "a,]\\"", {"b": [1, {"c": "}"}]} ,[ ], null,12345678901234567890 ]\n';
  assert.deepEqual(all(text, elements), [
    "1.50",
    '"a,]\\""',
    '{"b": [1, {"c": "}"}]}',
    "[ ]",
    "null",
    "12345678901234567890",
  ]);
  assert.deepEqual(all("[]", elements), []);
  for (const wrong of ["{}", "[1,]", "[1", "", '"x"', "[1]]"]) {
    assert.throws(() => elements(bytes(wrong)), SyntaxError, wrong);
  }
});

Deno.test("elements of random arrays are those that JSON.parse finds", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  const value = (depth: number): unknown => {
    const kind = random(depth > 3 ? 4 : 6);
    if (kind === 0) return random(1000) / 8;
    if (kind === 1) return random(2) === 0 ? null : true;
    if (kind < 4) {
      return Array.from({ length: random(6) }, () => '\\"[]{},:\n \u00e4'[random(12)] ?? "").join(
        "",
      );
    }
    const list = Array.from({ length: random(4) }, () => value(depth + 1));
    return kind === 4 ? list : Object.fromEntries(list.map((item, i) => [`k${i}"`, item]));
  };
  for (let round = 0; round < 500; round++) {
    const array = Array.from({ length: random(5) }, () => value(0));
    const text = JSON.stringify(array, null, random(3));
    assert.deepEqual(all(text, elements).map((one) => JSON.parse(one)), array, text);
  }
});

Deno.test("a JSON pointer gives scalars as text", () => {
  const read = (pointer: string, json: string) => pointerReader(pointer)(bytes(json));
  assert.equal(read("/a/b", '{"a":{"b":"x"}}'), "x");
  assert.equal(read("/a/1", '{"a":[1,false]}'), "false");
  assert.equal(read("/a~1b/~0", '{"a/b":{"~":7}}'), "7");
  assert.equal(read("/", '{"":1}'), "1");
  for (const json of ['{"a":{}}', '{"a":null}', '{"b":1}', "[]", "3", "nope"]) {
    assert.equal(read("/a", json), undefined, json);
  }
  assert.throws(() => pointerReader("a"), /Cannot read JSON pointer "a"/);
  assert.throws(() => pointerReader("/~2"), /Cannot read JSON pointer/);
});
