import assert from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { parseManifest } from "../../../src/plugin/manifest.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const FOLDER = join(ROOT, "plugins/file_tail");
const SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];

const variants: { suffix: string; flags: string[] }[] = [{ suffix: "", flags: [] }];
if (await sanitizersWork()) variants.push({ suffix: " under sanitizers", flags: SANITIZERS });

for (const { suffix, flags } of variants) {
  Deno.test(`file-tail follows files${suffix}`, async (t) => {
    await withFolder(async (folder) => {
      const { libraryPath } = await buildPlugin({
        folder: FOLDER,
        outDir: folder,
        overrides: {
          build: { cflags: ["-pthread", "-Werror", ...flags], ldflags: ["-pthread", ...flags] },
        },
      });
      for (
        const [test, count] of [["test_file_tail", 17], ["test_file_tail_rotation", 18]] as const
      ) {
        const program = join(folder, test);
        await compile(join(FOLDER, `${test}.c`), program, flags);
        const { stdout, stderr } = await run(program, [libraryPath], { TMPDIR: folder });
        const lines = stdout.trim().split("\n");
        assert.equal(lines.length, count, stdout + stderr);
        for (const line of lines) {
          const [, verdict, name] = /^(ok|not ok) ([a-z_]+)/.exec(line) ?? [];
          await t.step(name ?? line, () => assert.equal(verdict, "ok", `${line}\n${stderr}`));
        }
      }
    });
  });
}

Deno.test("file-tail's manifest is read, and its config schema fills in the defaults", async () => {
  await withFolder(async (outDir) => {
    const { manifestPath } = await buildPlugin({ folder: FOLDER, outDir });
    const manifest = parseManifest(await Deno.readFile(manifestPath), { file: manifestPath });
    const [component] = manifest.components;
    assert.equal(manifest.name, "file-tail");
    assert.deepEqual([component?.kind, component?.name, component?.replayable], [
      "source",
      "tail",
      true,
    ]);
    const validate = new Ajv2020({ useDefaults: true, strict: true }).compile(
      component!.config_schema!,
    );
    const config = { paths: ["/var/log/a.log"] };
    assert.ok(validate(config));
    assert.deepEqual(config, {
      paths: ["/var/log/a.log"],
      once: false,
      from: "beginning",
      max_line: "1MiB",
      rescan: "1s",
      grace: "1s",
      attributes: false,
    });
    for (
      const wrong of [{}, { paths: [] }, { paths: ["a"], rescan: "soon" }, {
        paths: ["a"],
        max_line: 0,
      }, { paths: ["a"], path: "b" }]
    ) {
      assert.ok(!validate(wrong), JSON.stringify(wrong));
    }
  });
});

async function sanitizersWork(): Promise<boolean> {
  return await withFolder(async (folder) => {
    const source = join(folder, "a.c");
    const program = join(folder, "a");
    await Deno.writeTextFile(source, "int main(void) { return 0; }\n");
    const compiled = await run("gcc", [...SANITIZERS, source, "-o", program]);
    return compiled.success && (await run(program, [])).success;
  });
}

async function compile(source: string, program: string, flags: string[]): Promise<void> {
  const { success, stderr } = await run("gcc", [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    `-I${join(ROOT, "ffi/include")}`,
    `-I${join(ROOT, "tests/support")}`,
    ...flags,
    source,
    "-o",
    program,
    "-ldl",
    "-lpthread",
  ]);
  assert.ok(success, stderr);
}

async function run(command: string, args: string[], env: Record<string, string> = {}) {
  const output = await new Deno.Command(command, { args, env }).output().catch(() => undefined);
  const text = (bytes?: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    success: output?.success ?? false,
    stdout: text(output?.stdout),
    stderr: text(output?.stderr),
  };
}

async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_file_tail_" });
  try {
    await Deno.chmod(folder, 0o755);
    return await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
