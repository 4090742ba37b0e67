import assert from "node:assert/strict";
import { validatorOf } from "../../../src/config/component_schema.ts";
import { makeConfigs } from "../../../src/conformance/configs.ts";

const SCHEMA = {
  type: "object",
  additionalProperties: false,
  required: ["path"],
  properties: {
    path: { type: "string", minLength: 1 },
    count: { type: "integer", minimum: 1, maximum: 10, default: 3 },
  },
};

Deno.test("makeConfigs() makes settings of all kinds, the same again for a seed", async () => {
  const configs = await makeConfigs({ schema: SCHEMA, given: [] }, 5);
  assert.deepEqual(await makeConfigs({ schema: SCHEMA, given: [] }, 5), configs);
  assert.notDeepEqual(await makeConfigs({ schema: SCHEMA, given: [] }, 6), configs);
  const validate = await validatorOf(SCHEMA);
  assert.ok(configs.valid.length > 5);
  for (const text of [...configs.valid, ...configs.default]) {
    assert.deepEqual(validate(JSON.parse(text)), [], text);
  }
  assert.ok(configs.invalid.length > 10);
  for (const text of configs.invalid) assert.notDeepEqual(validate(JSON.parse(text)), [], text);
  assert.deepEqual(configs.default, [], "path has no default");
  assert.ok(configs.huge.some((text) => text.length >= 1 << 18));
  assert.ok(configs.random.includes(""));
});

Deno.test("makeConfigs() works with what was given first, and fills in defaults", async () => {
  const { working, origin, faults } = await makeConfigs({
    schema: SCHEMA,
    given: [{ path: "${dir}/a" }],
  }, 1);
  assert.deepEqual(JSON.parse(working!), { path: "${dir}/a", count: 3 });
  assert.equal(origin, "the fixtures");
  assert.deepEqual(faults, []);
});

Deno.test("makeConfigs() says what is wrong with what was given, but not of placeholders", async () => {
  const given = [{ path: "a", count: 11 }, { path: "a", count: "${port}" }];
  const { faults } = await makeConfigs({ schema: SCHEMA, given }, 1);
  assert.deepEqual(faults, ['"/count" of conformance.json must be <= 10']);
});

Deno.test("makeConfigs() takes an example of the schema before what it makes up", async () => {
  const schema = { ...SCHEMA, examples: [{ count: 0 }, { path: "b" }] };
  const { working, origin } = await makeConfigs({ schema, given: [] }, 1);
  assert.deepEqual(JSON.parse(working!), { path: "b", count: 3 });
  assert.equal(origin, "config_schema.examples");
});

Deno.test("makeConfigs() says when it finds no settings that work", async () => {
  const schema = { type: "object", required: ["a"], properties: { a: false } };
  const { working, origin } = await makeConfigs({ schema, given: [] }, 1);
  assert.equal(working, undefined);
  assert.match(origin, /conformance\.json/);
});

Deno.test("makeConfigs() gives {} to a component without settings", async () => {
  const schema = { type: "object", additionalProperties: false };
  const configs = await makeConfigs({ schema, given: [] }, 1);
  assert.equal(configs.working, "{}");
  assert.deepEqual([configs.valid, configs.default], [["{}"], ["{}"]]);
});
