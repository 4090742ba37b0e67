import assert from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { parseManifest } from "../../../src/plugin/manifest.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const FOLDER = join(ROOT, "plugins/gzip_archive");
const SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];

const variants: { name: string; flags: string[] }[] = [{ name: "", flags: [] }];
if (await sanitizersWork()) variants.push({ name: " under sanitizers", flags: SANITIZERS });

for (const { name, flags } of variants) {
  for (
    const { program, title, tests } of [
      { program: "test_gzip_archive", title: "writes segments", tests: 18 },
      { program: "test_crashes", title: "has each event once after a crash", tests: 7 },
    ]
  ) {
    Deno.test(`gzip-archive ${title}${name}`, async (t) => {
      await withFolder(async (folder) => {
        const library = await buildLibrary(folder, flags);
        const path = join(folder, program);
        await compile(join(FOLDER, `${program}.c`), path, flags);
        const { stdout, stderr } = await run(path, [library], { TMPDIR: folder });
        const lines = stdout.trim().split("\n");
        assert.ok(lines.length >= tests, stdout + stderr);
        for (const line of lines) {
          const [, verdict, test] = /^(ok|not ok) ([a-z_0-9]+)/.exec(line) ?? [];
          await t.step(test ?? line, () => assert.equal(verdict, "ok", `${line}\n${stderr}`));
        }
      });
    });
  }
}

Deno.test("gzip-archive's manifest is read, and its config schema fills in the defaults", async () => {
  await withFolder(async (outDir) => {
    const { manifestPath } = await buildPlugin({ folder: FOLDER, outDir });
    const manifest = parseManifest(await Deno.readFile(manifestPath), { file: manifestPath });
    const [component] = manifest.components;
    assert.deepEqual([manifest.name, component?.kind, component?.name, component?.blocking], [
      "gzip-archive",
      "reaction",
      "archive",
      true,
    ]);
    const validate = new Ajv2020({ useDefaults: true, strict: true }).compile(
      component!.config_schema!,
    );
    const config = { directory: "/var/archive" };
    assert.ok(validate(config));
    assert.deepEqual(config, {
      directory: "/var/archive",
      prefix: "events",
      max_segment_bytes: "64MiB",
      max_segment_age: "1h",
      level: 6,
      format: "lines",
    });
    for (
      const wrong of [
        {},
        { directory: "a", level: 10 },
        { directory: "a", prefix: "a/b" },
        { directory: "a", max_segment_age: "soon" },
        { directory: "a", max_segment_bytes: "64 parsecs" },
        { directory: "a", dir: "b" },
      ]
    ) {
      assert.ok(!validate(wrong), JSON.stringify(wrong));
    }
  });
});

async function buildLibrary(folder: string, flags: string[]): Promise<string> {
  const { libraryPath } = await buildPlugin({
    folder: FOLDER,
    outDir: folder,
    overrides: { build: { cflags: ["-D_GNU_SOURCE", "-Werror", ...flags], ldflags: flags } },
  });
  return libraryPath;
}

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
    "-rdynamic",
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
  const folder = await Deno.makeTempDir({ prefix: "busbar_gzip_archive_" });
  try {
    await Deno.chmod(folder, 0o755);
    return await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
