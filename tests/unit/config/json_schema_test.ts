import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { configJsonSchema } from "../../../src/config/schema.ts";
import { configSchemaText, SCHEMA_FILE } from "../../../scripts/lib/config_schema.ts";
import { faults } from "./support.ts";

Deno.test("docs/busbar.schema.json is what scripts/lib/config_schema.ts writes", async () => {
  assert.equal(await Deno.readTextFile(SCHEMA_FILE), configSchemaText());
});

Deno.test("the published schema and the program agree", async () => {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(configJsonSchema());
  const parts = `sources: { in: { use: a } }, reactions: { out: { use: b, from: in } }`;
  const texts: [text: string, good: boolean][] = [
    ["server: { port: 1 }", true],
    ["server: { port: 70000 }", false],
    ["server: { prot: 1 }", false],
    ["log: { level: debug }", true],
    ["log: { level: loud }", false],
    [`pipelines: { web: { ${parts} } }`, true],
    [`pipelines: { web: { ${parts}, batch: { max_delay: 5ms, max_bytes: 64KiB } } }`, true],
    [`pipelines: { web: { ${parts}, batch: { max_delay: 5 parsecs } } }`, false],
    [`pipelines: { web: { ${parts}, limits: { memory: 128000000 } } }`, true],
    [`pipelines: { web: { ${parts}, limits: { memory: 1Gb } } }`, false],
    [`pipelines: { Web: { ${parts} } }`, false],
    ["pipelines: { web: { sources: {}, reactions: {} } }", false],
  ];
  for (const [text, good] of texts) {
    assert.equal(validate(parse(text)), good, text);
    assert.equal((await faults(text)).length === 0, good, text);
  }
});

Deno.test("the published schema lets ${…} stand for numbers, switches, choices, sizes and durations", () => {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(configJsonSchema());
  const config = {
    server: { port: "${PORT}", enabled: "${ON:-true}" },
    log: { level: "${LEVEL}" },
    cells: { limits: { memory: "${MEMORY}" }, shutdown_timeout: "${N}s" },
  };
  assert.ok(validate(config), JSON.stringify(validate.errors));
  assert.ok(!validate({ server: { port: "8080" } }));
});
