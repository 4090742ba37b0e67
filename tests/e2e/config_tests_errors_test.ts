import assert from "node:assert/strict";
import { join } from "node:path";
import { test, WEB, withFiles } from "./config_tests.ts";

Deno.test("test: files that cannot be used end with 2, and every fault has its place", () =>
  withFiles({
    "busbar.yaml": `${WEB}
  second:
    sources: { s: { use: builtin/generate } }
    reactions: { r: { use: builtin/discard, from: s } }
`,
    "wrong.yaml": "pipelines: { p: { sources: {}, reactions: {} } }\ntests: []\n",
    "shape.test.yaml": `config: busbar.yaml
pipelin: web
tests:
  - name: a
    inputs: { access: [] }
    expect: { alerts: { cnt: 3 } }
  - name: a
    input: { access: [{ jsn: 1 }, { text: a, json: 2 }, advance: 5x] }
    expect: { alerts: [{ cel: "paylod.x > 1" }, { regex: "(" }, { timestamp: noon }] }
  - input: 3
  - name: nothing
    input: { access: [a] }
  - name: late
    steps:
      - { input: { access: [a] }, end: true, expect: { alerts: nothing } }
      - { advance: 1s }
`,
    "names.test.yaml": `config: busbar.yaml
tests:
  - name: a
    pipeline: wb
    expect: { alerts: nothing }
  - name: b
    pipeline: web
    input: { acess: [a], errors: [{ text: a, source: x }] }
    expect: { alert: nothing, errors: nothing, access: nothing, errors.rejectd: nothing }
  - name: c
    expect: { alerts: nothing }
`,
    "lost.test.yaml": "config: nowhere.yaml\ntests: []\n",
    "none.test.yaml": "tests: []\n",
    "empty.test.yaml": "config: busbar.yaml\ntests: []\n",
    "wrong.test.yaml": "config: wrong.yaml\ntests: []\n",
  }, async (folder) => {
    const cases: [string, string[]][] = [
      ["shape.test.yaml", [
        'shape.test.yaml:2:1: error: Unknown key "pipelin"\n',
        'did you mean "pipeline"?',
        'shape.test.yaml:5:5: error: Unknown key "inputs" in tests[0]',
        'shape.test.yaml:6:25: error: Unknown key "cnt" in tests[0].expect.alerts',
        'shape.test.yaml:7:11: error: Duplicate test "a"',
        'shape.test.yaml:8:25: error: Unknown key "jsn"',
        "shape.test.yaml:8:46: error: Cannot give both text and json",
        'shape.test.yaml:8:66: error: Cannot read duration "5x"',
        "shape.test.yaml:9:32: error: Cannot use tests[1].expect.alerts[0].cel: Unknown variable",
        "                               ^^^^^^\n",
        "shape.test.yaml:9:58: error: Cannot read tests[1].expect.alerts[1].regex: Invalid regular",
        'shape.test.yaml:9:78: error: Cannot read "noon" as a time such as',
        'shape.test.yaml:10:5: error: Missing "name" in tests[2]',
        'shape.test.yaml:11:5: error: Missing "expect" in tests[3]',
        "shape.test.yaml:16:11: error: Cannot have advance after the end",
      ]],
      ["names.test.yaml", [
        'names.test.yaml:4:15: error: Unknown pipeline "wb" of test "a"',
        'names.test.yaml:8:14: error: Unknown component "acess" of pipeline "web"',
        'names.test.yaml:8:26: error: Unknown source "x" of events for "errors"',
        'names.test.yaml:9:15: error: Unknown component "alert"',
        'names.test.yaml:9:31: error: Missing output of processor "errors"',
        'names.test.yaml:9:48: error: Cannot look at source "access"',
        'names.test.yaml:9:65: error: Unknown output "rejectd" of processor "errors"',
        'names.test.yaml:10:5: error: Missing the pipeline of test "c": there are several',
      ]],
      ["lost.test.yaml", ['Cannot read configuration "nowhere.yaml": there is no such file']],
      ["none.test.yaml", ['none.test.yaml:1:1: error: Missing "config"']],
      ["empty.test.yaml", ["Cannot run tests: there are none"]],
      ["wrong.test.yaml", ["wrong.yaml:1:"]],
      ["absent.test.yaml", ['Cannot read tests "absent.test.yaml": there is no such file']],
    ];
    for (const [file, messages] of cases) {
      const output = await test(folder, file);
      assert.equal(output.code, 2, output.stdout + output.stderr);
      for (const message of messages) {
        assert.ok(
          output.stderr.includes(message),
          `${message}\n--- is not in ---\n${output.stderr}`,
        );
      }
    }
    assert.equal((await test(folder)).code, 2);
    assert.equal((await test(folder, "busbar.yaml", "--timeout", "never")).code, 2);
  }));

Deno.test("test: JUnit reports are XML that says the same", () =>
  withFiles({
    "busbar.yaml": WEB,
    "a.test.yaml": `config: busbar.yaml
tests:
  - { name: 'good <&"', input: { alerts: [a] }, expect: { alerts: [a] } }
  - { name: "bad \\u0007", input: { alerts: ["<\\u0001]]>"] }, expect: { alerts: [b] } }
`,
  }, async (folder) => {
    const output = await test(folder, "a.test.yaml", "--format", "junit", "--output", "report.xml");
    assert.equal(output.code, 1);
    assert.match(output.stdout, /1 passed, 1 failed/);
    const parser = `
import json, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
suite = root[0]
print(json.dumps([root.attrib["tests"], suite.attrib["failures"], [
  [case.attrib["name"], case.attrib["file"], case.attrib["line"], [one.attrib["message"] for one in case.findall("failure")]]
  for case in suite]]))`;
    const { success, stdout, stderr } = await new Deno.Command("python3", {
      args: ["-c", parser, join(folder, "report.xml")],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), ["2", "1", [
      ['good <&"', "a.test.yaml", "3", []],
      ["bad \ufffd", "a.test.yaml", "4", [
        'a.test.yaml:4: "alerts": 1 event of 1 not as expected',
      ]],
    ]]);
  }));
