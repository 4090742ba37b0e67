import assert from "node:assert/strict";
import { validatorOf } from "../../../src/config/component_schema.ts";
import { Random } from "../../../src/conformance/random.ts";
import { textForPattern } from "../../../src/conformance/text_for_pattern.ts";
import {
  type Extent,
  type Json,
  valueForSchema,
} from "../../../src/conformance/value_for_schema.ts";

const EXTENTS: Extent[] = ["minimal", "maximal", "random"];

/** Checks that `schema` accepts what is made for it as a setting named "x", for many seeds. */
async function fits(schema: Json): Promise<void> {
  const { $defs, ...x } = schema;
  const whole = { type: "object", required: ["x"], properties: { x }, ...($defs ? { $defs } : {}) };
  const validate = await validatorOf(whole);
  for (let seed = 0; seed < 50; seed++) {
    for (const extent of EXTENTS) {
      const value = valueForSchema(whole, new Random(seed), { extent }) as Json;
      const text = JSON.stringify(value);
      assert.deepEqual(validate(value), [], `${extent} with seed ${seed}: ${text}`);
    }
  }
}

const SCHEMAS: Record<string, Json> = {
  boolean: { type: "boolean" },
  null: { type: "null" },
  "several types": { type: ["string", "null"] },
  const: { const: { a: [1] } },
  enum: { enum: ["a", 2, null] },
  integer: { type: "integer", minimum: 3, maximum: 9 },
  "open interval": { type: "integer", exclusiveMinimum: 3, exclusiveMaximum: 5 },
  "only a minimum": { type: "integer", minimum: 5000 },
  "negative maximum": { type: "number", maximum: -2.5 },
  multiple: { type: "integer", multipleOf: 7, minimum: 1, maximum: 100 },
  text: { type: "string", minLength: 3, maxLength: 5 },
  duration: { type: "string", format: "busbar-duration" },
  size: { type: "string", format: "busbar-size" },
  pattern: { type: "string", pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$" },
  list: { type: "array", minItems: 2, maxItems: 4, items: { type: "integer" } },
  tuple: { type: "array", prefixItems: [{ const: 1 }], minItems: 1, items: { type: "string" } },
  object: {
    type: "object",
    additionalProperties: false,
    required: ["a"],
    properties: { a: { type: "string" }, b: { type: "boolean" } },
  },
  map: { type: "object", minProperties: 2, additionalProperties: { type: "integer" } },
  choice: { anyOf: [{ type: "string" }, { type: "integer", minimum: 1 }] },
  "one of": { oneOf: [{ type: "string" }, { type: "integer" }] },
  conjunction: { allOf: [{ type: "integer", minimum: 5 }, { maximum: 6 }] },
  reference: { $ref: "#/$defs/level", $defs: { level: { enum: ["low", "high"] } } },
};

for (const [name, schema] of Object.entries(SCHEMAS)) {
  Deno.test(`valueForSchema() makes what the schema accepts: ${name}`, () => fits(schema));
}

Deno.test("valueForSchema() takes defaults for the smallest value", () => {
  const schema = { properties: { a: { type: "integer", default: 42 } }, required: ["a"] };
  assert.deepEqual(valueForSchema(schema, new Random(1), { extent: "minimal" }), { a: 42 });
});

Deno.test("valueForSchema() comes to an end with a schema that must contain itself", () => {
  const schema = { type: "object", required: ["a"], properties: { a: { $ref: "#" } } };
  assert.ok(valueForSchema(schema, new Random(1), { extent: "maximal" }));
});

Deno.test("textForPattern() follows groups, classes, counts and choices", () => {
  const patterns = [
    "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$",
    "^(?:ab|c[de]){2,3}-\\d+\\.\\w$",
    "^[^a-z/]+$",
    "^\\[x\\]\\s?(?<name>y*)z+?$",
    "^a(?!b)c{3}$",
    "^\\/[\\]\\-a]$",
  ];
  for (const pattern of patterns) {
    for (let seed = 0; seed < 200; seed++) {
      assert.match(textForPattern(pattern, new Random(seed)), new RegExp(pattern));
    }
  }
});

Deno.test("textForPattern() gives up on counts within counts, and survives what is no pattern", () => {
  assert.ok(textForPattern("((a{1000}){1000}){1000}", new Random(1)).length < 1_000_000);
  for (const pattern of ["(", "[", "a{", ")", "\\", "[\\", "a|*", "(?"]) {
    assert.equal(typeof textForPattern(pattern, new Random(1)), "string");
  }
});

Deno.test("Random is the same again for a seed, and its purposes are apart", () => {
  const draw = (random: Random) => Array.from({ length: 8 }, () => random.next());
  assert.deepEqual(draw(Random.for(7, "a")), draw(Random.for(7, "a")));
  assert.notDeepEqual(draw(Random.for(7, "a")), draw(Random.for(7, "b")));
  assert.notDeepEqual(draw(new Random(1)), draw(new Random(2)));
  const random = new Random(3);
  const seen = new Set(Array.from({ length: 200 }, () => random.between(-2, 2)));
  assert.deepEqual([...seen].sort((a, b) => a - b), [-2, -1, 0, 1, 2]);
});
