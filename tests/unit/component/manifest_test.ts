import assert from "node:assert/strict";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";
import { BUILTIN_FACTORIES } from "../../../src/component/builtin/mod.ts";
import { validatorOf } from "../../../src/config/component_schema.ts";
import { parseManifest } from "../../../src/plugin/manifest.ts";

Deno.test("the built-in manifest is one that a plugin could have", () => {
  const text = JSON.stringify(BUILTIN_MANIFEST);
  assert.deepEqual(parseManifest(text, { file: "builtin" }), JSON.parse(text));
});

Deno.test("every component of the built-in manifest can be made, and no other", async () => {
  const names = BUILTIN_MANIFEST.components.map(({ name }) => name);
  assert.deepEqual(Object.keys(BUILTIN_FACTORIES).sort(), names.toSorted());
  for (const load of Object.values(BUILTIN_FACTORIES)) {
    assert.equal(typeof await load(), "function");
  }
});

Deno.test("every built-in config_schema takes no settings at all, knows its keys and describes them", async () => {
  for (const { name, config_schema } of BUILTIN_MANIFEST.components) {
    const validate = await validatorOf(config_schema!);
    assert.deepEqual(validate({}), [], name);
    assert.equal(validate({ nonsense: 1 }).length, 1, name);
    const properties = Object.values(config_schema!["properties"] as Record<string, object>);
    for (const property of properties) assert.ok("description" in property, name);
  }
});

Deno.test("a cell that loads a built-in component does not load the others, nor what checks configurations", async () => {
  const root = new URL("../../../", import.meta.url);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", "src/component/builtin/discard.ts"],
    cwd: root,
    stderr: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { specifier: string; kind?: string }[];
  };
  const specifiers = modules.map(({ specifier }) => specifier);
  assert.ok(specifiers.some((specifier) => specifier.endsWith("/builtin/discard.ts")));
  assert.ok(!specifiers.some((specifier) => /\/builtin\/(?!discard)|zod|ajv|yaml/.test(specifier)));
});
