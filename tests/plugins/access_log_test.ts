import assert from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import {
  buildTestPlugin,
  compileTest,
  PROJECT,
  reportTests,
  runProgram,
  variants,
  withFolder,
} from "../support/c_program.ts";
import { parseManifest } from "../../src/plugin/manifest.ts";

const FOLDER = join(PROJECT, "plugins/access_log");

for (const { suffix, flags } of await variants()) {
  Deno.test(`access-log reads lines${suffix}`, async (t) => {
    await withFolder(async (folder) => {
      const { program, library } = await buildTest(folder, flags);
      await reportTests(t, program, { args: [library], folder, count: 17 });
    });
  });
}

Deno.test("access-log writes JSON that JSON.parse reads, whatever the line", async () => {
  await withFolder(async (folder) => {
    const { program, library } = await buildTest(folder, []);
    const path = join(folder, "objects");
    const test = "made_up_lines_always_give_json";
    const { success, stdout } = await runProgram(program, [library, test], {
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
  const library = await buildTestPlugin("access_log", { outDir: folder, flags });
  const program = join(folder, "test_access_log");
  await compileTest(join(FOLDER, "test_access_log.c"), program, flags);
  return { program, library };
}
