import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { BUILTIN_MANIFEST } from "../../src/component/builtin/manifest.ts";
import { parseManifest } from "../../src/plugin/manifest.ts";
import {
  buildTestPlugin,
  compileTest,
  PROJECT,
  reportTests,
  variants,
  withFolder,
} from "../support/c_program.ts";

const FOLDER = join(PROJECT, "plugins/log");

for (const { suffix, flags } of await variants()) {
  Deno.test(`log writes events as records${suffix}`, async (t) => {
    await withFolder(async (folder) => {
      const cflags = ["-D_GNU_SOURCE"];
      const library = await buildTestPlugin("log", { outDir: folder, flags, cflags });
      const program = join(folder, "test_log");
      await compileTest(join(FOLDER, "test_log.c"), program, flags);
      await reportTests(t, program, { args: [library], folder, count: 10 });
    });
  });
}

Deno.test("log's settings are those of builtin/log", async () => {
  await withFolder(async (outDir) => {
    const { manifestPath } = await buildPlugin({ folder: FOLDER, outDir });
    const { components } = parseManifest(await Deno.readFile(manifestPath), { file: manifestPath });
    const builtin = BUILTIN_MANIFEST.components.find((one) =>
      one.kind === "reaction" && one.name === "log"
    )!;
    assert.deepEqual(components.map(({ kind, name }) => [kind, name]), [["reaction", "log"]]);
    assert.deepEqual(components[0]!.config_schema, builtin.config_schema);
  });
});
