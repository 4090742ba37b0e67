import assert from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { parseManifest } from "../../../src/plugin/manifest.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const FOLDER = join(ROOT, "plugins/access_log");
const SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];

const variants: { name: string; flags: string[] }[] = [{ name: "", flags: [] }];
if (await sanitizersWork()) variants.push({ name: " under sanitizers", flags: SANITIZERS });

for (const { name, flags } of variants) {
  Deno.test(`access-log reads lines${name}`, async (t) => {
    await withFolder(async (folder) => {
      const { program, libraryPath } = await buildTest(folder, flags);
      const { stdout, stderr } = await run(program, [libraryPath], { TMPDIR: folder });
      const lines = stdout.trim().split("\n");
      assert.ok(lines.length >= 17, stdout + stderr);
      for (const line of lines) {
        const [, verdict, test] = /^(ok|not ok) ([a-z_0-9]+)/.exec(line) ?? [];
        await t.step(test ?? line, () => assert.equal(verdict, "ok", `${line}\n${stderr}`));
      }
    });
  });
}

Deno.test("access-log writes JSON that JSON.parse reads, whatever the line", async () => {
  await withFolder(async (folder) => {
    const { program, libraryPath } = await buildTest(folder, []);
    const path = join(folder, "objects");
    const test = "made_up_lines_always_give_json";
    const { success, stdout } = await run(program, [libraryPath, test], {
      TMPDIR: folder,
      BUSBAR_TEST_OUTPUT: path,
    });
    assert.ok(success, stdout);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
    const lines = text.trimEnd().split("\n");
    assert.equal(lines.length, 20_000);
    for (const line of lines) {
      const object = JSON.parse(line);
      assert.equal(typeof object.raw, "string");
      if ("parse_error" in object) continue;
      assert.deepEqual(Object.keys(object).filter((key) => key !== "request" && key !== "extra"), [
        "remote_addr",
        "ident",
        "user",
        "time",
        "method",
        "path",
        "protocol",
        "status",
        "bytes",
        "referer",
        "user_agent",
        "raw",
      ]);
      assert.ok(Number.isInteger(object.status));
      assert.ok(object.bytes === null || Number.isInteger(object.bytes));
    }
  });
});

Deno.test("access-log's manifest is read, and its config schema fills in the defaults", async () => {
  await withFolder(async (outDir) => {
    const { manifestPath } = await buildPlugin({ folder: FOLDER, outDir });
    const manifest = parseManifest(await Deno.readFile(manifestPath), { file: manifestPath });
    const [component] = manifest.components;
    assert.deepEqual([manifest.name, component?.kind, component?.name], [
      "access-log",
      "processor",
      "parse",
    ]);
    const validate = new Ajv2020({ useDefaults: true, strict: true }).compile(
      component!.config_schema!,
    );
    const config = {};
    assert.ok(validate(config));
    assert.deepEqual(config, { format: "auto", keep_raw: false });
    for (const wrong of [{ format: "iis" }, { keep_raw: "yes" }, { keepRaw: true }]) {
      assert.ok(!validate(wrong), JSON.stringify(wrong));
    }
  });
});

async function buildTest(folder: string, flags: string[]) {
  const { libraryPath } = await buildPlugin({
    folder: FOLDER,
    outDir: folder,
    overrides: { build: { cflags: ["-Werror", ...flags], ldflags: flags } },
  });
  const program = join(folder, "test_access_log");
  await compile(join(FOLDER, "test_access_log.c"), program, flags);
  return { program, libraryPath };
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
  const folder = await Deno.makeTempDir({ prefix: "busbar_access_log_" });
  try {
    await Deno.chmod(folder, 0o755);
    return await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
