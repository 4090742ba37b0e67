import assert from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import {
  buildTestPlugin,
  compileTest,
  PROJECT,
  reportTests,
  variants,
  withFolder,
} from "../support/c_program.ts";
import { parseManifest } from "../../src/plugin/manifest.ts";

const FOLDER = join(PROJECT, "plugins/file_tail");

for (const { suffix, flags } of await variants()) {
  for (const [test, count] of [["test_file_tail", 17], ["test_file_tail_rotation", 18]] as const) {
    Deno.test(`file-tail follows files: ${test}${suffix}`, async (t) => {
      await withFolder(async (folder) => {
        const library = await buildTestPlugin("file_tail", {
          outDir: folder,
          flags,
          cflags: ["-pthread"],
        });
        const program = join(folder, test);
        await compileTest(join(FOLDER, `${test}.c`), program, flags);
        await reportTests(t, program, { args: [library], folder, count });
      });
    });
  }
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
