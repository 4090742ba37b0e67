import assert from "node:assert/strict";
import { parseText } from "../../../src/config/yaml.ts";
import { readTests } from "../../../src/config_test/read_tests.ts";
import { TreeReader } from "../../../src/config_test/tree_reader.ts";

/** What is wrong with a test, each with the part of its line that is pointed at. */
function faults(test: string): [string | undefined, string][] {
  const { source, tree } = parseText("a.yaml", `tests:\n  - ${test}\n`, { env: {}, folder: "." });
  const reader = new TreeReader(source);
  readTests(reader, tree["tests"], ["tests"]);
  return reader.diagnostics.map(({ message, snippet, column }) => [
    snippet?.text.slice(column! - 1, column! - 1 + snippet.length),
    message,
  ]);
}

Deno.test("what is wrong with a test is said once, at its place", () => {
  const cases: [string, string, RegExp][] = [
    [
      "{ name: a, input: { in: [x] } }",
      "{ name: a, input: { in: [x] } }",
      /^Missing "expect" in tests\[0\]/,
    ],
    [
      "{ name: a, expect: { out: { count: { least: 3, most: 1 } } } }",
      "1",
      /at most 1 and at least 3$/,
    ],
    [
      "{ name: a, expect: { out: { order: any } } }",
      "out",
      /^Missing one of events, count and each/,
    ],
    ["{ name: a, expect: { out: { count: -1 } } }", "-1", /^Expected a whole number/],
    ["{ name: a, advance: -1s, expect: {} }", "-1s", /^Cannot read duration "-1s"/],
    ["{ name: a, time: 2026-02-30T00:00:00Z, expect: {} }", "2026-02-30T00:00:00Z", /no such day/],
    ["{ name: a, time: noon, expect: {} }", "noon", /^Cannot read "noon" as a time such as/],
    [
      "{ name: a, expect: { out: [{ cel: payload.a && paylod.b }] } }",
      "paylod",
      /Unknown variable/,
    ],
    ["{ name: a, expect: { out: [{ regex: '(' }] } }", "'('", /Unterminated group/],
    [
      "{ name: a, input: { in: [{ text: a, json: 1 }] }, expect: {} }",
      "json",
      /both text and json/,
    ],
    ["{ name: a, input: { in: [~] }, expect: {} }", "~", /^Expected text/],
  ];
  for (const [test, part, message] of cases) {
    const found = faults(test);
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.equal(found[0]![0], part, test);
    assert.match(found[0]![1], message);
  }
  assert.deepEqual(faults("{ name: a, expect: { out: { count: { least: 1, most: 1 } } } }"), []);
});
