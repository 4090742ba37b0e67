import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../scripts/lib/files.ts";
import { fixture, PLUGINS } from "../fixtures/build.ts";
import { followAlone } from "../support/tutorial.ts";
import { steady, test, WEB, withFiles } from "./config_tests.ts";

Deno.test("docs/testing.md does what it says", () => followAlone(join(PROJECT, "docs/testing.md")));

Deno.test("test: every way to give and to expect events, and what a test may not do", () =>
  withFiles({
    "busbar.yaml": `${WEB}
      file:
        use: builtin/file
        from: errors
        config: { path: written.log }
http:
  listen: { port: 1 }
  routes: []
data_dir: data
`,
    "web.test.yaml": `
config: busbar.yaml
pipeline: web
tests:
  - name: forms
    time: 2026-03-01T00:00:00Z
    input:
      access:
        - json: { status: 500, nested: { list: [1, { a: null }] } }
          key: k
          attributes: { host: web1, zone: b }
          operation: update
          timestamp: 2026-02-28T23:59:59.123456789Z
          sequence: 7
        - { base64: eyJzdGF0dXMiOjUwMX0=, content_type: json }
      alerts: [plain text]
      errors: [{ text: '{"status":502}', source: more }, { json: { status: 100 } }]
    expect:
      errors.out:
        - subset: { nested: { list: [1, { a: null }] } }
          key: k
          attributes: { host: web1, none: null }
          operation: update
          timestamp: 2026-02-28T23:59:59.123Z
          source: access
          sequence: 7
          marked: false
        - { base64: eyJzdGF0dXMiOjUwMX0=, sequence: 8, timestamp: 2026-03-01T00:00:00Z }
        - { cel: 'payload.status == 502 && source == "more"', regex: "50[2]" }
      errors.rejected: [{ json: { status: 100 } }]
      alerts:
        events: [plain text, { subset: { status: 502 } }]
        order: any
        others: true
        count: { least: 4, most: 4 }
      file: { count: 3, each: { cel: payload.status >= 500 } }
  - name: order
    input: { alerts: [a, b, c] }
    expect: { alerts: { events: [c, a, b], order: any } }
`,
  }, async (folder) => {
    const output = await test(folder, "web.test.yaml");
    assert.equal(
      steady(output),
      "web.test.yaml\n  ok     forms (… ms)\n  ok     order (… ms)\n\n2 passed, 0 failed\n",
      output.stderr,
    );
    assert.equal(output.code, 0);
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["busbar.yaml", "web.test.yaml"]);
  }));

Deno.test("test: time passes only when it is told to, for ticks, windows and retries", async () => {
  await fixture("probe");
  await fixture("faulty");
  await withFiles({
    "busbar.yaml": `${WEB}
  failing:
    sources: { s: { use: builtin/generate } }
    processors:
      bad:
        use: faulty/processor
        from: s
        config: { fault: failed, in: process }
        retry: { initial: 1s, max_attempts: 3 }
    reactions: { out: { use: builtin/discard, from: bad } }
  limits:
    sources: { s: { use: builtin/generate } }
    processors:
      slow: { use: builtin/throttle, from: s, config: { events: 1, period: 1s } }
      once: { use: builtin/dedupe, from: s, config: { key: text, window: 10s } }
    reactions: { out: { use: builtin/discard, from: [slow, once] } }
  native:
    sources: { numbers: { use: builtin/generate } }
    processors: { total: { use: probe/count, from: numbers } }
    reactions: { out: { use: builtin/discard, from: total } }
plugins: { directories: ["${PLUGINS}"] }
tests:
  - name: processing time
    pipeline: web
    steps:
      - input: { errors: [{ json: { status: 500 } }] }
        advance: 59s
        expect: { totals: nothing }
      - advance: 2s
        expect: { totals: [{ subset: { n: 1 } }] }
      - advance: 1d
        expect: { totals: nothing }
  - name: event time
    pipeline: web
    input:
      sessions:
        - { json: 1, timestamp: 2026-01-01T00:00:01Z }
        - { json: 2, timestamp: 2026-01-01T00:00:11Z }
        - { json: 3, timestamp: 2026-01-01T00:00:09Z }
        - { json: 4, timestamp: 2026-01-01T00:00:12Z }
        - { json: 5, timestamp: 2026-01-01T00:00:08Z }
    expect:
      sessions.out: [{ subset: { n: 2 } }]
      sessions.late: [{ json: 5 }]
  - name: retries
    pipeline: failing
    steps:
      - input: { s: [a] }
        advance: 2s
        # It writes what it was given before it fails: once at the beginning, and once a second later.
        expect: { out: [a, a], dead_letters: nothing }
      - advance: 2s
        expect: { dead_letters: [{ component: bad, code: failed, error: { regex: ^Asked }, text: a }] }
  - name: retries at the end
    pipeline: failing
    input: { s: [a] }
    end: true
    expect: { dead_letters: { count: 1 } }
  - name: what else asks for the time
    pipeline: limits
    input:
      slow: [a, b, advance: 1s, c, d]
      once: [a, a, advance: 9s, a, b, advance: 2s, a, a]
    expect: { slow.out: [a, c], once.out: [a, b, a] }
  - name: ticks of native code
    pipeline: native
    time: 2026-01-01T00:00:00Z
    input: { numbers: [a, advance: 10ms, b, c] }
    advance: 1h
    expect:
      out: [{ json: { total: 3 }, timestamp: 2026-01-01T00:00:00.020Z }]
  - name: an end
    pipeline: native
    steps:
      - input: { numbers: [a] }
        expect: { out: nothing }
      - end: true
        expect: { out: [{ json: { total: 1 } }] }
`,
  }, async (folder) => {
    const output = await test(folder, "busbar.yaml");
    assert.equal(output.code, 0, output.stdout + output.stderr);
    assert.match(output.stdout, /7 passed, 0 failed/);
  });
});

Deno.test("test: what fails is shown with its line, and field by field", () =>
  withFiles({
    "busbar.yaml": WEB,
    "failing.test.yaml": `config: busbar.yaml
tests:
  - name: json
    input:
      access:
        - json: { status: 503, path: /b, user: { id: 1, tags: [a] } }
        - json: { status: 504, path: /b }
        - json: { status: 505 }
        - text: hello
    expect:
      alerts:
        - json: { status: 503, path: /a, user: { id: 2, tags: [a, b], name: x } }
        - json: { status: 504, path: /b }
        - hello
  - name: count and each
    input: { alerts: [a, b] }
    expect: { alerts: { count: 3, each: { regex: "^a", key: k, attributes: { x: "1" } } } }
  - name: nothing
    input: { alerts: ["\\e[31mred", { base64: /w== }] }
    expect: { alerts: nothing }
  - name: order
    input: { alerts: [a, b, c] }
    expect: { alerts: [b, a, c, { cel: size > 3 }] }
  - name: well
    input: { alerts: [a] }
    expect: { alerts: [a] }
`,
  }, async (folder) => {
    const output = await test(folder, "failing.test.yaml", "--jobs", "3");
    assert.equal(
      steady(output),
      `failing.test.yaml
  FAILED json (… ms)
    failing.test.yaml:11: "alerts": 2 events of 3 not as expected
      event 1 (line 12):
        payload.path: expected "/a", got "/b"
        payload.user.id: expected 2, got 1
        payload.user.tags[1]: expected "b", got nothing
        payload.user.name: expected "x", got nothing
      event 3 (line 14):
        payload: expected "hello", got "{\\"status\\":505}"
    failing.test.yaml:10: 1 dead letter, none expected
      + errors: Cannot evaluate where: No such key: status: "hello"
  FAILED count and each (… ms)
    failing.test.yaml:17: "alerts": expected 3 events, got 2
      + "a"
      + "b"
    failing.test.yaml:17: "alerts": 2 events of 2 are not as each should be
      event 1:
        key: expected "k", got ""
        attributes.x: expected "1", got none
      event 2:
        payload: expected match for /^a/u, got "b"
        key: expected "k", got ""
        attributes.x: expected "1", got none
  FAILED nothing (… ms)
    failing.test.yaml:20: "alerts": expected nothing, got 2 events
      + "\\u001b[31mred"
      + base64 /w==
  FAILED order (… ms)
    failing.test.yaml:23: "alerts": expected 4 events, got 3
      - event 1: "b"
      - event 4: size > 3
      + "b"
  ok     well (… ms)

1 passed, 4 failed
`,
    );
    assert.equal(output.code, 1);
    const one = await test(folder, "failing.test.yaml", "--filter", "wel", "--json");
    assert.equal(one.code, 0);
    const { passed, failed, tests } = JSON.parse(one.stdout);
    assert.deepEqual([passed, failed, tests[0].name, tests[0].line], [1, 0, "well", 24]);
  }));

Deno.test("test: a crash, an exit and a hang of native code fail their test, with blame", async () => {
  await fixture("faulty");
  const faulty = (fault: string, call = "process") => `
  ${fault}-in-${call}:
    sources: { s: { use: faulty/source, config: { fault: segv, in: create } } }
    processors: { bad: { use: faulty/processor, from: s, config: { fault: ${fault}, in: ${call} } } }
    reactions: { r: { use: faulty/reaction, from: bad, config: { fault: segv, in: create } } }`;
  const pipelines = [
    ["segv"],
    ["segv", "create"],
    ["segv", "thread"],
    ["exit"],
    ["fatal"],
    ["hang"],
    ["record-zero"],
    ["print"],
    ["failed", "destroy"],
  ] as const;
  const tests = pipelines.map(([fault, call = "process"]) => `
  - name: ${fault === "hang" ? "hangs" : `${fault} in ${call}`}
    pipeline: ${fault}-in-${call}
    input: { bad: [a] }
    expect: { r: [a] }`);
  await withFiles({
    "busbar.yaml": `plugins: { directories: ["${PLUGINS}"] }
pipelines:${pipelines.map(([fault, call]) => faulty(fault, call)).join("")}
tests:${tests.join("")}
`,
  }, async (folder) => {
    const output = await test(folder, "busbar.yaml", "--filter", " in ");
    const hang = await test(folder, "busbar.yaml", "--filter", "hangs", "--timeout", "3");
    const said = (steady(output) + steady(hang)).replace(/busbar.yaml:\d+: /g, "");
    for (
      const expected of [
        "FAILED segv in process (… ms)\n    plugin faulty 1.0.0 crashed, SIGSEGV, thread …, while processor bad.processor " +
        "was in process, sequence 1",
        "FAILED segv in create (… ms)\n    plugin faulty 1.0.0 crashed, SIGSEGV, thread …, while processor bad.processor was in create",
        "FAILED exit in process (… ms)\n    plugin faulty 1.0.0 called exit(",
        "FAILED fatal in process (… ms)\n    plugin faulty 1.0.0 failed in process of fatal-in-process.bad: Asked to",
        "FAILED hangs (… ms)\n    the test did not end within 3 s, while processor bad.processor was in process, sequence 1",
        "FAILED record-zero in process (… ms)\n    plugin faulty 1.0.0 failed in process of record-zero-in-process.bad: " +
        "it wrote a malformed batch",
        "printed: last words on stdout",
        "ok     failed in destroy",
      ]
    ) assert.ok(said.includes(expected), `${expected}\n--- is not in ---\n${said}`);
    assert.match(said, /1 passed, 7 failed/);
    assert.deepEqual([output.code, hang.code], [1, 1]);
  });
});

Deno.test("test: what ends the process that tests share fails one of them, and spares the others", () =>
  withFiles({
    "busbar.yaml": `
pipelines:
  p:
    sources: { s: { use: builtin/generate } }
    processors:
      strict: { use: builtin/filter, from: s, on_failure: stop, config: { where: payload.n > 0 } }
    reactions: { out: { use: builtin/discard, from: strict } }
tests:
  - name: before
    input: { s: [{ json: { n: 1 } }] }
    expect: { out: [{ json: { n: 1 } }] }
  - name: stops
    steps:
      - input: { s: [{ json: { n: 2 } }, hello] }
        expect: { out: [{ json: { n: 2 } }] }
      - input: { s: [{ json: { n: 3 } }] }
        expect: { out: [{ json: { n: 3 } }] }
  - name: behind
    input: { s: [{ json: { n: 4 } }] }
    expect: { out: [{ json: { n: 4 } }] }
`,
  }, async (folder) => {
    const output = await test(folder, "busbar.yaml", "--jobs", "1");
    assert.equal(
      steady(output),
      `busbar.yaml
  ok     before (… ms)
  FAILED stops (… ms)
    busbar.yaml:12: plugin builtin failed in process of p.strict: it did not accept event 2: Cannot evaluate where: ` +
        `No such key: n
  ok     behind (… ms)

2 passed, 1 failed
`,
    );
    assert.equal(output.code, 1);
  }));
