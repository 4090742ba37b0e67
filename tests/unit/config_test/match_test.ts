import assert from "node:assert/strict";
import { jsonDifferences } from "../../../src/config_test/json_diff.ts";
import { differences, letterDifferences, summary } from "../../../src/config_test/match.ts";
import type { EventPattern, SeenEvent } from "../../../src/config_test/model.ts";
import { compileExpression } from "../../../src/expression/expression.ts";

const encoder = new TextEncoder();

function seen(payload: string | Uint8Array, others: Partial<SeenEvent> = {}): SeenEvent {
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  return {
    payload: bytes.toBase64(),
    key: "",
    attributes: [],
    operation: "message",
    contentType: "bytes",
    source: "s",
    sequence: 1,
    timestamp: "1767225600123456789",
    marked: false,
    ...others,
  };
}

const pattern = (parts: Omit<EventPattern, "path">): EventPattern => ({ path: [], ...parts });

Deno.test("jsonDifferences() names each field that differs", () => {
  const expected = { a: 1, b: { c: [1, 2, { d: null }] }, "e f": "x", g: {} };
  assert.deepEqual(jsonDifferences(expected, structuredClone(expected), { subset: false }), []);
  const actual = { a: "1", b: { c: [1, 3] }, "e f": "y", h: true, g: [] };
  assert.deepEqual(jsonDifferences(expected, actual, { subset: false }), [
    'payload.a: expected 1, got "1"',
    "payload.b.c[1]: expected 2, got 3",
    'payload.b.c[2]: expected {"d":null}, got nothing',
    'payload["e f"]: expected "x", got "y"',
    "payload.g: expected {}, got []",
    "payload.h: expected nothing, got true",
  ]);
});

Deno.test("jsonDifferences() shows long values from where they differ", () => {
  const long = (end: string) => ({ a: `${"x".repeat(1000)}${end}` });
  const [line] = jsonDifferences(long("yes"), long(`no${"!".repeat(1000)}`), { subset: false });
  const common = `…${"x".repeat(20)}`;
  assert.ok(line!.startsWith(`payload.a: expected ${common}yes", got ${common}no!!!`), line);
  assert.ok(line!.endsWith("!…") && line!.length < 500, line);
  assert.match(jsonDifferences(long(""), 1, { subset: false })[0]!, /^.{200,260}…, got 1$/);
});

Deno.test("jsonDifferences() with subset allows more fields at any depth, but not longer lists", () => {
  const subset = (expected: unknown, actual: unknown) =>
    jsonDifferences(expected, actual, { subset: true });
  assert.deepEqual(
    subset({ a: { b: 1 }, c: [{ d: 1 }] }, { a: { b: 1, x: 2 }, c: [{ d: 1, y: 0 }] }),
    [],
  );
  assert.deepEqual(subset({ c: [1] }, { c: [1, 2] }), ["payload.c[1]: expected nothing, got 2"]);
  assert.deepEqual(subset({ constructor: 1 }, {}), [
    "payload.constructor: expected 1, got nothing",
  ]);
  assert.deepEqual(subset({}, "text"), ['payload: expected {}, got "text"']);
});

Deno.test("differences() looks at each part that the pattern names, and at no other", () => {
  const event = seen('{"n":5}', {
    key: encoder.encode("k").toBase64(),
    attributes: [["x", "1"], ["__proto__", "p"]],
    sequence: 2 ** 53 - 1,
  });
  assert.deepEqual(differences(pattern({}), event), []);
  const good = pattern({
    text: '{"n":5}',
    base64: event.payload,
    json: { value: { n: 5 } },
    subset: { value: {} },
    regex: /"n"/u,
    key: "k",
    attributes: [["x", "1"], ["y", null], ["__proto__", "p"]],
    operation: "message",
    source: "s",
    sequence: 2 ** 53 - 1,
    timestamp: 1767225600123,
    marked: false,
    cel: compileExpression(
      'payload.n == 5 && text.size() == 7 && size == 7 && attributes.x == "1" && sequence > 5 && ' +
        'timestamp == timestamp("2026-01-01T00:00:00.123Z")',
      "bool",
    ),
  });
  assert.deepEqual(differences(good, event), []);
  const bad = pattern({
    text: "x",
    base64: "eA==",
    key: "",
    attributes: [["x", null], ["y", "2"], ["toString", "s"]],
    operation: "delete",
    source: "t",
    sequence: 1,
    timestamp: 1767225600000,
    marked: true,
    cel: compileExpression("payload.m == 1", "bool"),
  });
  assert.deepEqual(differences(bad, event), [
    'payload: expected "x", got "{\\"n\\":5}"',
    `payload: expected "eA==", got "${event.payload}"`,
    'key: expected "", got "k"',
    'attributes.x: expected none, got "1"',
    'attributes.y: expected "2", got none',
    'attributes.toString: expected "s", got none',
    'operation: expected "delete", got "message"',
    'source: expected "t", got "s"',
    `sequence: expected 1, got ${2 ** 53 - 1}`,
    'timestamp: expected "2026-01-01T00:00:00.000Z", got "2026-01-01T00:00:00.123Z"',
    "marked: expected true, got false",
    "payload.m == 1: No such key: m",
  ]);
});

Deno.test("differences() sees a payload as expressions do", () => {
  const cel = (text: string) => pattern({ cel: compileExpression(text, "bool") });
  const big = seen('{"n":9007199254740993}');
  assert.deepEqual(differences(cel("payload.n == 9007199254740993"), big), []);
  assert.deepEqual(differences(pattern({ json: { value: { n: 9007199254740991 } } }), big), [
    "payload.n: expected 9007199254740991, got 9007199254740993",
  ]);
  assert.deepEqual(differences(cel("payload == null"), seen("", { contentType: "json" })), []);
  assert.deepEqual(differences(cel("payload == '\\u00e9'"), seen("é")), []);
  const broken = seen("{", { contentType: "json" });
  assert.deepEqual(differences(cel("text == '{'"), broken), []);
  assert.match(differences(cel("payload == '{'"), broken)[0]!, /: Payload is not JSON: /);
});

Deno.test("differences() compares a text byte for byte", () => {
  const text = pattern({ text: "\ufffd" });
  assert.deepEqual(differences(text, seen("\ufffd")), []);
  assert.deepEqual(differences(text, seen(new Uint8Array([0xff]))), [
    'payload: expected "\ufffd", got base64 /w==',
  ]);
});

Deno.test("differences() says so when a payload is no JSON", () => {
  assert.deepEqual(differences(pattern({ json: { value: 1 } }), seen("{")), [
    'payload: expected JSON, got "{"',
  ]);
  assert.deepEqual(
    differences(pattern({ cel: compileExpression("payload == '{'", "bool") }), seen("{")),
    [],
  );
});

Deno.test("letterDifferences() compares who refused and why as well", () => {
  const letter = { ...seen("a"), component: "c", code: "invalid", error: "no such field" };
  const good = { path: [], component: "c", code: "invalid", error: /such/u, text: "a" };
  assert.deepEqual(letterDifferences(good, letter), []);
  assert.deepEqual(letterDifferences({ path: [], component: "d", error: "x", text: "b" }, letter), [
    'component: expected "d", got "c"',
    'error: expected "x", got "no such field"',
    'payload: expected "b", got "a"',
  ]);
});

Deno.test("summary() shows an event in one line, whatever it holds", () => {
  assert.equal(summary(seen('{"a":1}', { contentType: "json" })), '{"a":1}');
  assert.equal(
    summary(seen("a\n\x1b", { key: "aw==", attributes: [["n", "v"]] })),
    '"a\\n\\u001b", key "k", n="v"',
  );
  assert.equal(summary(seen(Uint8Array.of(255))), "base64 /w==");
  assert.equal(summary(seen("x".repeat(500))).length, 201);
});
