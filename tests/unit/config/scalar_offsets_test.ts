import assert from "node:assert/strict";
import { isMap, isScalar, parseDocument, Scalar, stringify } from "yaml";
import { scalarOffsets } from "../../../src/config/scalar_offsets.ts";
import { numbers } from "../component/processing.ts";

/** The scalar behind `a:` as a file has it, and its text. */
function scalarOf(yaml: string): { raw: string; text: string } {
  const { contents, errors } = parseDocument(yaml);
  assert.deepEqual(errors, []);
  assert.ok(isMap(contents));
  const node = contents.items[0]!.value;
  assert.ok(isScalar(node) && node.range);
  return { raw: yaml.slice(node.range[0], node.range[1]), text: String(node.value) };
}

/** Every character of the text stands where the offsets say. */
function check(yaml: string): void {
  const { raw, text } = scalarOf(yaml);
  const offsets = scalarOffsets(raw, text);
  assert.ok(offsets, yaml);
  assert.equal(offsets.length, text.length, yaml);
  let last = -1;
  for (const [i, offset] of offsets.entries()) {
    assert.ok(offset >= last, yaml);
    last = offset;
    if (/\s/.test(text[i]!) || raw[offset] === "\\") continue;
    assert.equal(raw[offset], text[i], yaml);
  }
}

Deno.test("the characters of a scalar are found however it is written", () => {
  const scalars = [
    "payload.n > 1",
    "payload.n > 1 &&\n    key == 2",
    "'it''s ''quoted'''",
    "'two\n    lines\n\n    and a third'",
    String.raw`"a \"b\" \\ \u00e4\x41\U0001F600 \t end"`,
    '"a \\\n    b \\\n    \\ c"',
    '"two\n    lines"',
    "|\n    a &&\n      b\n    c\n",
    "|-\n    a &&\n\n    b",
    ">-\n    a &&\n    b\n\n    c\n      d",
    "|2-\n      a\n     b",
    "'ä ü 😀'",
  ];
  for (const scalar of scalars) {
    check(`a: ${scalar}\n`);
    check(`a: ${scalar}\nb: 1\n`);
  }
  check("{ a: x == 1 && y, b: 2 }\n");
});

Deno.test("the characters of any scalar are found", () => {
  const chance = numbers(9);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  const pieces = [
    "a",
    "'",
    '"',
    " ",
    "\n",
    "\\",
    "é",
    "😀",
    "x.y",
    " && ",
    "\t",
    "#",
    ": ",
    "${A}",
  ];
  for (let round = 0; round < 3000; round++) {
    const value = new Scalar(
      "k" + Array.from({ length: next(12) }, () => pieces[next(pieces.length)]).join("") + "k",
    );
    value.type =
      (["PLAIN", "QUOTE_SINGLE", "QUOTE_DOUBLE", "BLOCK_LITERAL", "BLOCK_FOLDED"] as const)[
        next(5)
      ]!;
    check(stringify({ a: value }, { lineWidth: next(2) === 0 ? 0 : 20 }));
  }
});

Deno.test("a text that the file does not hold has no offsets", () => {
  assert.equal(scalarOffsets("payload.${NAME}", "payload.status"), undefined);
  assert.equal(scalarOffsets("'a'", "ab"), undefined);
  assert.equal(scalarOffsets("", "a"), undefined);
  assert.deepEqual(scalarOffsets("a $${b}", "a ${b}"), [0, 1, 3, 4, 5, 6]);
});
