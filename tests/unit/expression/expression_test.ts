import assert from "node:assert/strict";
import { ContentType, Operation, RecordFlag } from "../../../ffi/layout.ts";
import { attributeBytes } from "../../../src/event/attributes.ts";
import {
  compileExpression,
  ExpressionError,
  type Wanted,
} from "../../../src/expression/expression.ts";
import { toJsonText } from "../../../src/expression/json_value.ts";
import { withEvent } from "./support.ts";

const EVENT = {
  payload: JSON.stringify({
    n: 3,
    half: 1.5,
    name: "x",
    list: [1, 2],
    map: { a: 1 },
    yes: true,
    nothing: null,
  }),
  key: "k1",
  contentType: ContentType.JSON,
  operation: Operation.UPDATE,
  timestamp: 1_700_000_000_123_456_789n,
  flags: RecordFlag.MARKED,
  attributes: attributeBytes([["host", "web-1"], ["path", "/"], ["host", "web-2"]]),
};

/** Its value for EVENT. */
function value(text: string, wanted: Wanted = "any"): unknown {
  return withEvent(EVENT, (view) => compileExpression(text, wanted).evaluate(view));
}

function fails(text: string, wanted: Wanted = "any"): string {
  try {
    value(text, wanted);
  } catch (error) {
    assert.ok(!(error instanceof ExpressionError), (error as Error).message);
    return (error as Error).message;
  }
  throw new Error(`${text} does not fail`);
}

/** What is wrong with the text: the part that is pointed at, and the message. */
function fault(text: string, wanted: Wanted = "any"): [string, string] {
  try {
    compileExpression(text, wanted);
  } catch (error) {
    assert.ok(error instanceof ExpressionError, String(error));
    return [text.slice(error.start, error.end), error.message];
  }
  throw new Error(`nothing is wrong with ${text}`);
}

Deno.test("an expression sees every part of an event", () => {
  const cases: [string, unknown][] = [
    ["payload.name", "x"],
    ["text.startsWith('{')", true],
    ["key", "k1"],
    ["attributes.host", "web-2"],
    ["attributes['path']", "/"],
    ["attributes.size()", 2n],
    ["'nothing' in attributes", false],
    ["attributes[?'nothing'].orValue('-')", "-"],
    ["operation", "update"],
    ["content_type", "json"],
    ["source", "access"],
    ["sequence", 1n],
    ["string(timestamp)", "2023-11-14T22:13:20.123Z"],
    ["size", BigInt(EVENT.payload.length)],
    ["marked", true],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(value(text), wanted, text);
});

Deno.test("numbers of JSON and whole numbers go together", () => {
  const cases: [string, unknown][] = [
    ["payload.n + 1", 4],
    ["1 + payload.n", 4],
    ["payload.n - 4", -1],
    ["payload.half * 2", 3],
    ["payload.n / 2", 1.5],
    ["payload.n % 2", 1],
    ["7.5 % payload.n", 1.5],
    ["payload.n == 3 && payload.n != 4 && payload.n < 4 && payload.n in [3]", true],
    ["payload.list[int(payload.n) - 2]", 2],
    ["payload.list.map(x, x * 2)", [2, 4]],
    ["5 / 2", 2n],
    ["math.greatest(payload.n, 2)", 3],
    ["math.least(payload.n, 2)", 2n],
    ["math.round(2.5) + math.floor(1.9) + math.ceil(0.1) + math.trunc(-1.5)", 4],
    ["math.round(-2.5)", -3],
    ["math.abs(-2)", 2n],
    ["math.floor(parseJson('9007199254740993'))", 9007199254740993n],
    ["math.abs(payload.n - 5)", 2],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(value(text), wanted, text);
});

Deno.test("there are functions for texts, times and JSON", () => {
  const cases: [string, unknown][] = [
    ["'a.b.c'.replace('.', '$&')", "a$&b$&c"],
    [String.raw`'GET /x 200'.extract(' (\\d+)$')`, "200"],
    ["'abc'.extract('b')", "b"],
    ["'abc'.extract('x')", ""],
    ["parseJson('{\"a\": [1]}').a[0]", 1],
    ["parseJson('12345678901234567890')", 12345678901234567890n],
    ["toJson(payload.map)", '{"a":1}'],
    ["int(timestamp)", 1_700_000_000n],
    ["double(timestamp)", 1_700_000_000.123],
    ["double(duration('1500ms'))", 1.5],
    ["string(timestamp(payload.n + 0.5))", "1970-01-01T00:00:03.5Z"],
    ["string(duration('1500ms'))", "1.5s"],
    ["string(duration('-1.5s'))", "-1.5s"],
    ["string(timestamp('1969-12-31T23:59:58.999Z') - timestamp(0.0))", "-1.001s"],
    ["string(duration('1ns') - duration('1s'))", "-0.999999999s"],
    ["string(timestamp(-0.5))", "1969-12-31T23:59:59.5Z"],
    ["int(timestamp(-0.5))", -1n],
    ["hash('a') == hash('a') && hash('a') != hash('b')", true],
    ["hash('busbar')", 3181980307n],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(value(text), wanted, text);
});

Deno.test("what is wanted says what a value may be, and what becomes of it", () => {
  const cases: [Wanted, string, unknown][] = [
    ["string", "payload.n", "3"],
    ["string", "payload.half", "1.5"],
    ["string", "payload.yes", "true"],
    ["string", "3u", "3"],
    ["string", "timestamp", "2023-11-14T22:13:20.123Z"],
    ["string", "duration('2m')", "120s"],
    ["string", "duration('-100ms')", "-0.1s"],
    ["number", "payload.n", 3],
    ["number", "7", 7],
    ["number", "7u", 7],
    ["timestamp", "timestamp", 1_700_000_000_123_000_000n],
    ["timestamp", "'2026-11-20T18:25:00.123456789+01:00'", 1_795_195_500_123_456_789n],
    ["timestamp", "1700000000.25", 1_700_000_000_250_000_000n],
    ["timestamp", "payload.n", 3_000_000_000n],
    ["timestamp", "-1", -1_000_000_000n],
    ["timestamp", "'1969-12-31T23:59:59.999999999Z'", -1n],
    ["timestamp", "'2024-02-29t00:00:00-0130'", 1_709_170_200_000_000_000n],
    ["bool", "payload.yes", true],
  ];
  for (const [wanted, text, result] of cases) assert.equal(value(text, wanted), result, text);
  assert.equal(fails("payload.n", "bool"), "Expected true or false, found the number 3");
  assert.equal(fails("payload", "string"), "Expected text, found a map");
  assert.equal(fails("payload.nothing", "string"), "Expected text, found nothing");
  assert.equal(fails("payload.name", "number"), "Expected a number, found text");
  assert.equal(fails("payload.yes", "timestamp"), "Expected a time, found true");
  assert.match(fails("payload.name", "timestamp"), /^Cannot read "x" as a time/);
  assert.match(fails("payload.n * 1e300", "timestamp"), /^No time is 3e\+300 seconds after 1970/);
  assert.match(
    fails("payload.half > 0.0 ? '2026-02-30T00:00:00Z' : key", "timestamp"),
    /no such day/,
  );
  const years = "Cannot use the time: those of events are between the years 1678 and 2261";
  for (const text of ["payload.n * 1e12", "'9999-12-31T00:00:00Z'", "'0001-01-01T00:00:00Z'"]) {
    assert.equal(fails(`payload.yes ? dyn(${text}) : 1`, "timestamp"), years, text);
  }
  assert.deepEqual(fault("'insrt'", "operation"), [
    "'insrt'",
    'Expected one of message, insert, update, delete, found "insrt"',
  ]);
  assert.equal(value("operation", "operation"), "update");
  assert.deepEqual(fault("size", "bool"), ["size", "Expected true or false, this gives int"]);
  assert.deepEqual(fault("'a' + key", "number"), [
    "'a' + key",
    "Expected a number, this gives string",
  ]);
});

Deno.test("what is wrong with an expression is pointed at", () => {
  const cases: [string, string, string][] = [
    ["payload.n > 1 && paylod.x", "paylod", 'Unknown variable "paylod"'],
    ["key.startWith('a')", "startWith", 'Unknown function "startWith"'],
    ["1 + hsh(key)", "hsh", 'Unknown function "hsh"'],
    ["math.foo(1)", "foo", 'Unknown function "foo"'],
    ["key == 1", "key == 1", "No such overload: string == int"],
    ["key.name", "name", 'Cannot index type "string"'],
    ["size = 1", "=", 'Unexpected "=": write =='],
    [`size in [${"1,".repeat(1000)}2]`, "2", "There are more than 1000 elements in a list"],
    [`${"(".repeat(251)}1${")".repeat(251)}`, "(", "There are more than 250 levels"],
    ["marked and true", "and", 'Unexpected "and": write &&'],
    ["size == 1 2", "2", 'Unexpected "2"'],
    ["'😀' == kee", "kee", 'Unknown variable "kee"'],
    [
      `${"!".repeat(20_000)}true`,
      `${"!".repeat(20_000)}true`,
      "The expression is too long or too deep",
    ],
    ["key +", "+", "The expression ends too early"],
    ["  ", " ", "The expression ends too early"],
    ["'abc", "'abc", "Unterminated string"],
    ["text.matches('(')", "'('", "Invalid regular expression: /(/: Unterminated group"],
    [
      "size > 1 && 1 / 0 == 1 || key == string(duration('5 minutes'))",
      "duration('5 minutes')",
      "Invalid duration string: 5 minutes",
    ],
    [
      "timestamp > timestamp('now')",
      "timestamp('now')",
      "timestamp() requires a string in ISO 8601 format",
    ],
    ["1 / 0", "1 / 0", "Division by zero"],
    ["key ? 1 : 2", "key", 'Ternary condition must be bool, got "string"'],
  ];
  for (const [text, part, message] of cases) {
    const [found, said] = fault(text);
    assert.deepEqual([found, said], [part, message], text);
  }
});

Deno.test("an unknown name comes with those there are", () => {
  const unknown = (text: string) => {
    try {
      compileExpression(text, "any");
    } catch (error) {
      return (error as ExpressionError).unknown;
    }
  };
  assert.deepEqual(unknown("abs(1.0)"), { name: "abs", known: ["math.abs"] });
  assert.equal(unknown("keyy")?.name, "keyy");
  assert.ok(unknown("keyy")?.known.includes("key"));
  assert.ok(!unknown("keyy")?.known.includes("google"));
  assert.ok(unknown("key.foo()")?.known.includes("startsWith"));
  assert.ok(!unknown("foo(key)")?.known.includes("startsWith"));
});

Deno.test("what an event lacks is said in words", () => {
  assert.equal(fails("payload.gone"), "No such key: gone");
  assert.equal(fails("payload.name + 1"), "No such overload: string + int");
  assert.equal(fails("payload.constructor"), "No such key: constructor");
  assert.equal(fails("payload.list[5]"), "No such key: index out of bounds, index 5 >= size 2");
  const failing = compileExpression("payload.gone", "any", { setting: "set.x" });
  withEvent(EVENT, (view) => {
    assert.throws(() => failing.evaluate(view), {
      message: "Cannot evaluate set.x: No such key: gone",
    });
  });
});

Deno.test("an expression knows what it reads", () => {
  const reads = (text: string) => [...compileExpression(text, "any").reads].sort();
  assert.deepEqual(reads("payload.list.exists(x, x == size) || has(payload.key)"), [
    "payload",
    "size",
  ]);
  assert.deepEqual(reads("{'a': [key]}['a'][0] == (marked ? text : 'x')"), [
    "key",
    "marked",
    "text",
  ]);
  assert.deepEqual(reads("1 + 2"), []);
});

Deno.test("an expression may have other variables than an event's", () => {
  const having = compileExpression("count > 3 && mean < 2.5", "bool", {
    variables: { count: "int", mean: "double" },
  });
  assert.equal(having.evaluateWith({ count: 4, mean: 2 }), true);
  assert.equal(having.evaluateWith({ count: 3n, mean: 2 }), false);
  assert.throws(
    () => compileExpression("payload.n", "any", { variables: { count: "int" } }),
    /Unknown variable "payload"/,
  );
});

Deno.test("values of CEL become JSON", () => {
  const json = (text: string) => toJsonText(value(text));
  assert.equal(
    json("[1, 2u, 1.5, true, null, 'ü', b'abc', duration('1ms')]"),
    '[1,2,1.5,true,null,"ü","YWJj","0.001s"]',
  );
  assert.equal(json("{'a': {'b': [optional.none(), 1]}, 'c': payload.?gone}"), '{"a":{"b":[1]}}');
  assert.equal(json("payload.map"), '{"a":1}');
  assert.throws(() => json("payload.n / 0"), /JSON has no number Infinity/);
  assert.throws(() => json("payload.?gone"), /absent/);
  assert.throws(() => json("type(1)"), /JSON has no form/);
});

Deno.test("times have the same parts whatever the time zone of the machine is", () => {
  const cases: [string, bigint][] = [
    // At half past two, New York has no such hour on this day.
    ["timestamp('2026-03-08T01:30:00Z').getHours('Europe/Berlin')", 2n],
    ["timestamp('2026-03-08T01:30:00Z').getMinutes('Asia/Kolkata')", 0n],
    ["timestamp('2026-07-01T12:00:00Z').getDayOfYear()", 181n],
    ["timestamp('2026-12-31T23:30:00Z').getDayOfYear('Europe/Berlin')", 0n],
    ["timestamp('2026-12-31T23:30:00Z').getFullYear('+01:00')", 2027n],
    ["timestamp('2026-12-31T23:30:00Z').getMonth('America/New_York')", 11n],
    ["timestamp('2026-12-31T23:30:00Z').getDate('Asia/Tokyo')", 1n],
    ["timestamp('2026-12-31T23:30:00Z').getDayOfMonth()", 30n],
    ["timestamp('2026-12-31T23:30:00Z').getDayOfWeek('Asia/Tokyo')", 5n],
    ["dyn(timestamp('1969-12-31T23:59:59.5Z')).getSeconds('UTC')", 59n],
    ["duration('90m').getHours()", 1n],
  ];
  const before = Deno.env.get("TZ");
  try {
    for (const zone of ["America/New_York", "UTC", "Australia/Lord_Howe"]) {
      Deno.env.set("TZ", zone);
      for (const [text, wanted] of cases) assert.equal(value(text), wanted, `${text} in ${zone}`);
    }
  } finally {
    if (before === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", before);
  }
  assert.deepEqual(fault("timestamp.getHours('Europe/Berln') > 8"), [
    "'Europe/Berln'",
    'There is no time zone "Europe/Berln"',
  ]);
});
