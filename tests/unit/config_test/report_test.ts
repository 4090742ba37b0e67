import assert from "node:assert/strict";
import type { Outcome } from "../../../src/config_test/model.ts";
import {
  outcomeLines,
  reportAsJson,
  reportAsJunit,
  reportAsText,
} from "../../../src/config_test/report.ts";

const GOOD: Outcome = {
  file: "a.test.yaml",
  name: "good",
  line: 3,
  passed: true,
  mismatches: [],
  notes: ["warning (c): slow"],
  seconds: 0.0123,
};
const BAD: Outcome = {
  ...GOOD,
  file: "b.test.yaml",
  name: "bad \x1b[31m",
  passed: false,
  mismatches: [{
    place: "b.test.yaml:7",
    message: '"out": 1 event of 2 not as expected',
    details: [
      "event 1:",
      '  payload.a: expected "x, got y", got 2',
      "- event 2: 1 < 2",
      '+ "\x07"',
    ],
  }],
};

const marked = (text: string, tone: string) => `<${tone}>${text}</${tone}>`;

Deno.test("outcomeLines() colours what was expected and what is there, and steers no terminal", () => {
  assert.deepEqual(outcomeLines(GOOD, marked), ["  <green>ok    </green> good (12 ms)"]);
  assert.deepEqual(outcomeLines(BAD, marked), [
    "  <red>FAILED</red> bad ·[31m (12 ms)",
    '    <bold>b.test.yaml:7</bold>: "out": 1 event of 2 not as expected',
    "      event 1:",
    '        payload.a: expected <red>"x, got y"</red>, got <green>2</green>',
    "      <red>- event 2: 1 < 2</red>",
    '      <green>+ "·"</green>',
    "    warning (c): slow",
  ]);
});

Deno.test("reports hold every test, by file", () => {
  const text = reportAsText([GOOD, BAD]);
  assert.match(text, /^a\.test\.yaml\n {2}ok {5}good \(12 ms\)\n\nb\.test\.yaml\n {2}FAILED bad/);
  assert.match(text, /\n\n1 passed, 1 failed\n$/);
  const json = JSON.parse(reportAsJson([GOOD, BAD]));
  assert.deepEqual(Object.keys(json), ["passed", "failed", "tests"]);
  assert.deepEqual(json.tests, [GOOD, BAD]);
  const xml = reportAsJunit([GOOD, BAD]);
  assert.match(xml, /<testsuites name="busbar test" tests="2" failures="1" time="0\.025">/);
  assert.match(xml, /<testsuite name="b\.test\.yaml" tests="1" failures="1"/);
  assert.match(xml, /<system-out>warning \(c\): slow<\/system-out>/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(xml, /[\x00-\x09\x0b-\x1f]/);
});
