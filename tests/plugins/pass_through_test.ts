import assert from "node:assert/strict";
import { LANGUAGES } from "../../src/project/toolchain.ts";
import { buildPassThrough, measurePassThrough } from "../bench/lib/pass_through.ts";
import { withFolder } from "../support/c_program.ts";

Deno.test("the pass-through processor of every SDK copies each event as it is, in parts where the output is too small", async () => {
  await withFolder(async (folder) => {
    const pass = await buildPassThrough(folder);
    for (const language of LANGUAGES) {
      for (const [payload, batch] of [[0, 1], [64, 1024], [1000, 7]] as const) {
        // The host compares every byte, and fails where one differs.
        assert.ok(
          await measurePassThrough(pass, language, { payload, batch, milliseconds: 1 }) > 0,
        );
      }
    }
  });
});
