import assert from "node:assert/strict";
import { hasColour, printable } from "../../../src/cli/output.ts";

Deno.test("printable() takes out what steers a terminal, and keeps one line", () => {
  assert.equal(printable("a\x1b[2Jb\x9bc\nd\t e"), "a\u00b7[2Jb\u00b7c d e");
  assert.equal(printable("Größe 5 µs"), "Größe 5 µs");
});

Deno.test("hasColour() is false where the output is no terminal", () => {
  assert.equal(hasColour({ isTerminal: () => false }), false);
});
