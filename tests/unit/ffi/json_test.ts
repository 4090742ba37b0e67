import assert from "node:assert/strict";
import { join } from "node:path";
import {
  compileTest,
  PROJECT,
  reportTests,
  runProgram,
  variants,
  withFolder,
} from "../../support/c_program.ts";

for (const { suffix, flags } of await variants()) {
  Deno.test(`busbar_json.h reads what is JSON and refuses the rest${suffix}`, async (t) => {
    await withFolder(async (folder) => {
      const program = join(folder, "json_test");
      await compileTest(join(PROJECT, "tests/unit/ffi/json_test.c"), program, flags);
      await reportTests(t, program, { args: ["-"], folder, count: 9 });
    });
  });
}

Deno.test("busbar_json.h is valid C++", async () => {
  await withFolder(async (folder) => {
    const source = join(folder, "a.cpp");
    await Deno.writeTextFile(source, '#include "busbar_json.h"\n');
    const flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"];
    const { success, stderr } = await runProgram("g++", [
      ...flags,
      `-I${join(PROJECT, "ffi/include")}`,
      source,
    ]);
    assert.ok(success, stderr);
  });
});
