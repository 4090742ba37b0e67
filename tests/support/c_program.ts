/** Compiling and running test programs written in C, which print "ok NAME" or "not ok NAME: why" for each test. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

const SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];

/** How a test program is built: as it is and, where the compiler has them, with sanitizers. */
export interface Variant {
  /** "", or what to add to a test's name. */
  suffix: string;
  flags: string[];
}

export async function variants(): Promise<Variant[]> {
  const plain = { suffix: "", flags: [] };
  return await withFolder(async (folder) => {
    const source = join(folder, "a.c");
    const program = join(folder, "a");
    await Deno.writeTextFile(source, "int main(void) { return 0; }\n");
    const compiled = await runProgram("gcc", [...SANITIZERS, source, "-o", program]);
    const works = compiled.success && (await runProgram(program, [])).success;
    return works ? [plain, { suffix: " under sanitizers", flags: SANITIZERS }] : [plain];
  });
}

/** Builds a plugin folder of the project for a test; the path of its library. */
export async function buildTestPlugin(
  name: string,
  options: { outDir: string; flags: string[]; cflags?: string[] },
): Promise<string> {
  const { outDir, flags, cflags = [] } = options;
  const { libraryPath } = await buildPlugin({
    folder: join(PROJECT, "plugins", name),
    outDir,
    overrides: {
      build: { cflags: [...cflags, "-Werror", ...flags], ldflags: [...cflags, ...flags] },
    },
  });
  return libraryPath;
}

/** Compiles a test program in C or C++ against the contract and the test host; other sources may stand among the flags. */
export async function compileTest(source: string, program: string, flags: string[]): Promise<void> {
  const cpp = source.endsWith(".cpp");
  const { success, stderr } = await runProgram(cpp ? "g++" : "gcc", [
    ...[cpp ? "-std=c++17" : "-std=c11", "-Wall", "-Wextra", "-Werror", "-rdynamic"],
    `-I${join(PROJECT, "ffi/include")}`,
    ...[...flags, source, "-o", program, "-ldl", "-lpthread"],
  ]);
  assert.ok(success, stderr);
}

/** Runs a test program and reports each of its tests as a step; there must be `count` of them. */
export async function reportTests(
  t: Deno.TestContext,
  program: string,
  options: { args: string[]; folder: string; count: number },
): Promise<void> {
  const { args, folder, count } = options;
  const { stdout, stderr } = await runProgram(program, args, { TMPDIR: folder });
  const lines = stdout.trim().split("\n");
  assert.equal(lines.length, count, stdout + stderr);
  for (const line of lines) {
    const [, verdict, name] = /^(ok|not ok) ([a-z_0-9]+)/.exec(line) ?? [];
    await t.step(name ?? line, () => assert.equal(verdict, "ok", `${line}\n${stderr}`));
  }
}

export async function runProgram(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A folder that other users may look into, for as long as `body` runs. */
export async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_test_" });
  try {
    await Deno.chmod(folder, 0o755);
    return await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
