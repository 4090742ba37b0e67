import assert from "node:assert/strict";
import { join } from "node:path";

const ROOT = new URL("../../..", import.meta.url).pathname;

Deno.test("busbar_json.h reads what is JSON and refuses the rest", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_json_" });
  try {
    const program = join(folder, "json_test");
    const includes = [`-I${join(ROOT, "ffi/include")}`, `-I${join(ROOT, "tests/support")}`];
    const warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"];
    const source = join(ROOT, "tests/unit/ffi/json_test.c");
    const build = (flags: string[]) =>
      run("gcc", [
        "-g",
        ...warnings,
        ...flags,
        ...includes,
        source,
        "-o",
        program,
        "-ldl",
        "-lpthread",
      ]);
    // The sanitizers are not everywhere.
    await build(["-fsanitize=address,undefined"]).catch(() => build([]));
    const { stdout } = await run(program, ["-"], { mayFail: true });
    const lines = stdout.trim().split("\n");
    assert.ok(lines.length >= 9, stdout);
    for (const line of lines) {
      const [, verdict, name] = /^(ok|not ok) ([a-z_]+)/.exec(line) ?? [];
      await t.step(name ?? line, () => assert.equal(verdict, "ok", line));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("busbar_json.h is valid C++", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_json_" });
  try {
    const source = join(folder, "a.cpp");
    await Deno.writeTextFile(source, '#include "busbar_json.h"\n');
    const flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"];
    await run("g++", [...flags, `-I${join(ROOT, "ffi/include")}`, source]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function run(command: string, args: string[], { mayFail = false } = {}) {
  const output = await new Deno.Command(command, { args }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((b) => new TextDecoder().decode(b));
  assert.ok(output.success || mayFail, `${command} failed: ${stderr}`);
  return { stdout: stdout ?? "" };
}
