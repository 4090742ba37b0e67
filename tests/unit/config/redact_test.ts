import assert from "node:assert/strict";
import { redact } from "../../../src/config/redact.ts";

const secret = { type: "string", writeOnly: true };

Deno.test("redact() hides what a schema marks, at any depth, and changes nothing in place", () => {
  const schema = {
    properties: {
      user: { type: "string" },
      password: { type: "string", format: "password" },
      nested: { properties: { token: secret } },
      list: { items: { properties: { key: secret } } },
      pair: { prefixItems: [{}, secret] },
    },
    patternProperties: { "_secret$": secret },
    additionalProperties: { properties: { hidden: secret } },
  };
  const config = {
    user: "u",
    password: "p",
    nested: { token: "t", plain: 1 },
    list: [{ key: "k", name: "n" }],
    pair: ["a", "b"],
    my_secret: "s",
    other: { hidden: "h", shown: "x" },
  };
  const before = structuredClone(config);
  assert.deepEqual(redact(config, schema), {
    user: "u",
    password: "***",
    nested: { token: "***", plain: 1 },
    list: [{ key: "***", name: "n" }],
    pair: ["a", "***"],
    my_secret: "***",
    other: { hidden: "***", shown: "x" },
  });
  assert.deepEqual(config, before);
});

Deno.test("redact() looks behind references and choices, also circular ones", () => {
  const schema = {
    $defs: {
      "a/b": secret,
      node: { properties: { next: { $ref: "#/$defs/node" }, key: { $ref: "#/$defs/a~1b" } } },
      loop: { $ref: "#/$defs/loop" },
    },
    anyOf: [{ properties: { one: secret } }, { oneOf: [{ properties: { two: secret } }] }],
    if: {},
    then: { properties: { three: secret } },
    properties: {
      tree: { allOf: [{ $ref: "#/$defs/node" }] },
      odd: { $ref: "#/$defs/loop" },
      remote: { $ref: "https://example.com/x" },
    },
  };
  const config = {
    one: 1,
    two: "2",
    three: "3",
    tree: { next: { next: { key: "k" } } },
    odd: "o",
    remote: "r",
  };
  assert.deepEqual(redact(config, schema), {
    one: "***",
    two: "***",
    three: "***",
    tree: { next: { next: { key: "***" } } },
    odd: "o",
    remote: "r",
  });
});

Deno.test("redact() shows everything without a schema, and leaves what is not set", () => {
  assert.deepEqual(redact({ a: 1 }, undefined), { a: 1 });
  assert.deepEqual(redact({ a: null }, { properties: { a: secret } }), { a: null });
});
