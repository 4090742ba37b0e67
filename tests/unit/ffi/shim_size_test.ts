import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { withoutComments } from "./headers.ts";

Deno.test("the shim has at most 380 lines of code", async () => {
  let lines = 0;
  for await (const { name } of Deno.readDir(join(PROJECT, "ffi/shim"))) {
    if (!name.endsWith(".c")) continue;
    const code = withoutComments(await Deno.readTextFile(join(PROJECT, "ffi/shim", name)));
    lines += code.split("\n").filter((line) => line.trim() !== "").length;
  }
  assert.ok(lines > 0 && lines <= 380, `it has ${lines}`);
});
