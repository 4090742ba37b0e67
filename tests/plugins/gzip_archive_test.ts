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

const FOLDER = join(PROJECT, "plugins/gzip_archive");

for (const { suffix, flags } of await variants()) {
  for (
    const { test, title, count } of [
      { test: "test_gzip_archive", title: "writes segments", count: 19 },
      { test: "test_crashes", title: "has each event once after a crash", count: 7 },
    ]
  ) {
    Deno.test(`gzip-archive ${title}${suffix}`, async (t) => {
      await withFolder(async (folder) => {
        const cflags = ["-D_GNU_SOURCE"];
        const library = await buildTestPlugin("gzip_archive", { outDir: folder, flags, cflags });
        const program = join(folder, test);
        await compileTest(join(FOLDER, `${test}.c`), program, flags);
        await reportTests(t, program, { args: [library], folder, count });
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
