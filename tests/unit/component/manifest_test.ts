import assert from "node:assert/strict";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";
import * as entries from "../../../src/component/builtin/manifest/mod.ts";
import { HOOK_FACTORIES } from "../../../src/http/hooks/mod.ts";
import { BUILTIN_FACTORIES } from "../../../src/component/builtin/mod.ts";
import { validatorOf } from "../../../src/config/component_schema.ts";
import { parseManifest } from "../../../src/plugin/manifest.ts";

Deno.test("the built-in manifest is one that a plugin of each kind could have", () => {
  const { components } = BUILTIN_MANIFEST;
  // Unlike those of a plugin, a source and a reaction may have one name.
  for (const ofKind of Map.groupBy(components, ({ kind }) => kind).values()) {
    const text = JSON.stringify({ ...BUILTIN_MANIFEST, components: ofKind });
    assert.deepEqual(parseManifest(text, { file: "builtin" }), JSON.parse(text));
  }
});

Deno.test("every component of the built-in manifest can be made, and no other", async () => {
  const names = BUILTIN_MANIFEST.components.map(({ kind, name }) => `${kind}/${name}`);
  assert.deepEqual(Object.keys(entries).sort(), names.toSorted());
  const factories = { ...BUILTIN_FACTORIES, ...HOOK_FACTORIES };
  assert.deepEqual(Object.keys(factories).sort(), names.toSorted());
  for (const load of Object.values(factories)) {
    assert.equal(typeof await load(), "function");
  }
});

Deno.test("every built-in config_schema asks for nothing but what it requires, knows its keys and describes them", async () => {
  for (const { name, config_schema } of BUILTIN_MANIFEST.components) {
    const validate = await validatorOf(config_schema!);
    const missing = validate({}).map(({ keyword }) => keyword);
    assert.deepEqual(
      missing.filter((keyword) => !["required", "anyOf"].includes(keyword)),
      [],
      name,
    );
    assert.equal(validate({ nonsense: 1 }).length, missing.length + 1, name);
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
