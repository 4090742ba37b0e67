import assert from "node:assert/strict";
import {
  countsOf,
  isConformant,
  type Outcome,
  type Report,
  reportAsJson,
} from "../../../src/conformance/report.ts";
import { reportAsJunit } from "../../../src/conformance/report_junit.ts";
import { reportAsText } from "../../../src/conformance/report_text.ts";
import { reproduction } from "../../../src/conformance/reproduction.ts";

function outcome(check: string, more: Partial<Outcome> = {}): Outcome {
  return {
    check,
    component: { kind: "source", name: "tail" },
    proves: `It proves ${check}.`,
    severity: "error",
    verdict: "passed",
    seen: "",
    seed: 7,
    duration: 0.0125,
    reproduce: `busbar plugin test x --check ${check}`,
    ...more,
  };
}

const NASTY = "a <b> & \"c\" 'd' ]]> \x1b[31m \0 \ud800 \uffff ä😀\nsecond line";

function report(...outcomes: Outcome[]): Report {
  const plugin = { name: "p", version: "1.0.0", path: "/p & q", digest: "ab", target: "t" };
  return { plugin, seed: 7, outcomes };
}

const MIXED = report(
  outcome("symbols", { component: undefined }),
  outcome("exports", { component: undefined, severity: "warning", verdict: "failed", seen: NASTY }),
  outcome("create", { verdict: "failed", seen: NASTY }),
  outcome("resume", { verdict: "not applicable", seen: "not replayable" }),
);

Deno.test("countsOf() counts warnings apart, which do not make a plugin bad", () => {
  assert.deepEqual(countsOf(MIXED), { passed: 1, failed: 1, warnings: 1, notApplicable: 1 });
  assert.equal(isConformant(MIXED), false);
  assert.equal(isConformant(report(...MIXED.outcomes.slice(0, 2))), true);
});

Deno.test("reportAsJson() has a version, counts and every check", () => {
  const json = JSON.parse(JSON.stringify(reportAsJson(MIXED)));
  assert.deepEqual(Object.keys(json), ["version", "ok", "plugin", "seed", "counts", "checks"]);
  assert.equal(json.version, 1);
  assert.equal(json.ok, false);
  assert.equal(json.checks.length, 4);
  assert.deepEqual(Object.keys(json.checks[2]).sort(), [
    "check",
    "component",
    "duration",
    "proves",
    "reproduce",
    "seed",
    "seen",
    "severity",
    "verdict",
  ]);
  assert.equal(json.checks[0].component, null);
});

Deno.test("reportAsJunit() is XML that a parser reads, whatever a plugin says", async () => {
  const xml = reportAsJunit(MIXED);
  const program = `
import json, sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
def shown(e): return {"tag": e.tag, **e.attrib, "text": (e.text or "").strip(), "in": [shown(c) for c in e]}
print(json.dumps(shown(root)))`;
  const child = new Deno.Command("python3", {
    args: ["-c", program],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(xml));
  await writer.close();
  const root = JSON.parse(new TextDecoder().decode((await child.output()).stdout));
  assert.deepEqual([root.tag, root.tests, root.failures], ["testsuites", "4", "1"]);
  const [file, tail] = root.in;
  assert.deepEqual([file.name, file.tests, file.failures], ["p.file", "2", "0"]);
  assert.deepEqual([tail.name, tail.tests, tail.failures, tail.skipped], ["p.tail", "2", "1", "1"]);
  assert.equal(file.in[0].in[0].value, "/p & q");
  const failure = tail.in[1].in[0];
  assert.equal(failure.tag, "failure");
  assert.equal(failure.message, "a <b> & \"c\" 'd' ]]> \ufffd[31m \ufffd \ufffd \ufffd ä😀");
  assert.match(failure.text, /second line\nAgain: busbar plugin test x --check create$/);
  assert.equal(tail.in[2].in[0].tag, "skipped");
});

Deno.test("reportAsText() says what was seen and how to see it again, and steers no terminal", () => {
  const text = reportAsText(MIXED);
  assert.match(
    text,
    /^p 1\.0\.0, seed 7\n\nThe file\n {2}ok {5}symbols: It proves symbols\.\n {2}WARN/,
  );
  assert.match(text, /\n\nsource tail\n {2}FAILED create: It proves create\.\n {9}a <b>/);
  assert.match(text, /\n {9}Again: busbar plugin test x --check create\n/);
  assert.match(text, /\n1 passed, 1 failed, 1 warnings, 1 not applicable\n$/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f]/);
});

Deno.test("reproduction() is a command that a shell takes", () => {
  const check = { name: "create-valid", proves: "", severity: "error", kinds: undefined } as const;
  assert.equal(
    reproduction("/a b/it's.so", check, { seed: 3, component: "tail", fixtures: "f.json" }),
    `busbar plugin test '/a b/it'\\''s.so' --check create-valid --component tail --seed 3 --fixtures f.json`,
  );
});
