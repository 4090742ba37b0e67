import assert from "node:assert/strict";
import { ContentType } from "../../../ffi/layout.ts";
import { attributeBytes } from "../../../src/event/attributes.ts";
import { type Given, json, numbers, processed } from "./processing.ts";
import { type TestEvent, withBuiltin } from "./support.ts";

/** What `map` with these settings makes of events. */
async function mapped(
  config: Record<string, unknown>,
  events: readonly TestEvent[],
): Promise<{ out: Given[]; refused: [number, string][] }> {
  let result = { out: [] as Given[], refused: [] as [number, string][] };
  await withBuiltin("map", { config }, async ({ instance }) => {
    const { outputs, refused } = await processed(instance, events);
    result = { out: outputs[0]!, refused };
  });
  return result;
}

/** The payloads alone. */
async function payloads(config: Record<string, unknown>, ...values: unknown[]): Promise<string[]> {
  const { out, refused } = await mapped(config, json(...values));
  assert.deepEqual(refused, []);
  return out.map(({ payload }) => payload);
}

Deno.test("map sets and removes members as a plain loop does", async () => {
  const chance = numbers(7);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  const values = Array.from({ length: 2000 }, () => ({
    n: next(1000),
    text: "ü".repeat(next(30)),
    ...(next(2) === 0 ? { user: { id: next(9), name: "x" } } : {}),
    list: [1, 2, 3].slice(next(3)),
  }));
  const config = {
    set: { "user.id": "payload.n + 1", "a.b.c": "payload.text.size()", n: "payload.list" },
    remove: ["user.name", "text", "nothing.there"],
  };
  const events = json(...values);
  for (const shape of [{}, { limit: 7 }, { bytes: 300 }]) {
    await withBuiltin("map", { config }, async ({ instance }) => {
      const { outputs: [out] } = await processed(instance, events, shape);
      assert.deepEqual(
        out!.map(({ payload, sequence }) => [sequence, JSON.parse(payload)]),
        values.map(({ n, text, list }, i) => [
          i + 1,
          { n: list, list, user: { id: n + 1 }, a: { b: { c: text.length } } },
        ]),
      );
    });
  }
});

Deno.test("every expression of map sees the event as it came", async () => {
  const config = { set: { a: "payload.b", b: "payload.a", c: "text.size()" }, remove: ["a"] };
  assert.deepEqual(await payloads(config, { a: 1, b: 2 }), ['{"b":1,"a":2,"c":13}']);
});

Deno.test("map keeps the digits of whole numbers, and writes values of CEL as JSON", async () => {
  const given =
    '{"big":12345678901234567890,"small":-9007199254740993,"x":{"big":[9007199254740993]}}';
  assert.deepEqual(await payloads({ set: { y: "1" } }, given), [
    '{"big":12345678901234567890,"small":-9007199254740993,"x":{"big":[9007199254740993]},"y":1}',
  ]);
  const set = {
    int: "9223372036854775807",
    uint: "18446744073709551615u",
    double: "1.5",
    time: 'timestamp("2026-11-20T18:25:00.120Z")',
    duration: 'duration("90s")',
    bytes: 'b"abc"',
    list: "[1, 2u, null]",
    map: '{"x": 1, "gone": payload.?nothing}',
  };
  assert.deepEqual(await payloads({ set }, {}), [
    '{"int":9223372036854775807,"uint":18446744073709551615,"double":1.5,' +
    '"time":"2026-11-20T18:25:00.12Z","duration":"90s","bytes":"YWJj","list":[1,2,null],"map":{"x":1}}',
  ]);
});

Deno.test("map takes a text or bytes for the payload itself, unless it is to be JSON", async () => {
  const kinds = async (config: Record<string, unknown>) => {
    const { out } = await mapped(config, json({ a: "ü", n: 2 }));
    return out.map(({ payload, contentType }) => [payload, contentType]);
  };
  assert.deepEqual(await kinds({ payload: "payload.a" }), [["ü", "text"]]);
  assert.deepEqual(await kinds({ payload: "bytes(payload.a)" }), [["ü", "bytes"]]);
  assert.deepEqual(await kinds({ payload: "payload.n" }), [["2", "json"]]);
  assert.deepEqual(await kinds({ payload: "payload.a", content_type: "json" }), [['"ü"', "json"]]);
  assert.deepEqual(await kinds({ payload: '{"n": payload.n + 1}', set: { m: "key" } }), [
    ['{"n":3,"m":""}', "json"],
  ]);
  assert.deepEqual(await kinds({ content_type: "cbor" }), [['{"a":"ü","n":2}', "cbor"]]);
});

Deno.test("map changes key, attributes, time and operation, and leaves the payload's bytes alone", async () => {
  const payload = '{ "id": 7, "op": "delete", "at": "2026-11-20T18:25:00.123456789Z" }';
  const event: TestEvent = {
    payload,
    key: "old",
    contentType: ContentType.JSON,
    timestamp: 5n,
    flags: 1,
    attributes: attributeBytes([["a", "1"], ["b", "2"]]),
  };
  const { out } = await mapped({
    key: '"user-" + string(payload.id)',
    attributes: { b: "null", c: "payload.id", d: "timestamp(payload.at)" },
    timestamp: "payload.at",
    operation: "payload.op",
  }, [event]);
  assert.deepEqual(out, [{
    payload,
    key: "user-7",
    attributes: { a: "1", c: "7", d: "2026-11-20T18:25:00.123Z" },
    sequence: 1,
    source: 0,
    timestamp: 1795199100123456789n,
    operation: "delete",
    contentType: "json",
    marked: true,
  }]);
});

Deno.test("map says which setting failed, and why", async () => {
  const refusal = async (config: Record<string, unknown>, value: unknown) => {
    const { out, refused } = await mapped(config, json(value));
    assert.deepEqual(out, []);
    return refused[0]![1];
  };
  const cases: [Record<string, unknown>, unknown, string | RegExp][] = [
    [{ set: { "a.b": "payload.x" } }, { a: 1 }, "Cannot evaluate set.a.b: No such key: x"],
    [{ set: { "a.b": "1" } }, { a: 1 }, 'Cannot set "a.b": "a" is not a map'],
    [{ set: { a: "1" } }, 7, 'Cannot set "a": the payload is not a map'],
    [{ set: { "a.5": "1" } }, { a: [1] }, 'Cannot set "5" of a list of 1'],
    [{ key: "payload" }, {}, "Cannot evaluate key: Expected text, found a map"],
    [{ timestamp: "payload" }, [], "Cannot evaluate timestamp: Expected a time, found a list"],
    [{ timestamp: "payload.t" }, { t: "now" }, /^Cannot evaluate timestamp: Cannot read "now"/],
    [
      { operation: "payload.o" },
      { o: "Delete" },
      /^Cannot evaluate operation: Expected one of message, .* "Delete"/,
    ],
    [{ payload: "payload.a / 0" }, { a: 1 }, "Cannot set payload: JSON has no number Infinity"],
    [{ attributes: { a: "payload" } }, [], "Cannot set attributes.a: Expected text, found a list"],
    [
      { timestamp: "payload.t" },
      { t: 1795000000123 },
      /^Cannot evaluate timestamp: Cannot use the time/,
    ],
  ];
  for (const [config, value, message] of cases) {
    const found = await refusal(config, value);
    if (typeof message === "string") assert.equal(found, message);
    else assert.match(found, message);
  }
  // An absent optional is a member that is not set.
  assert.deepEqual(await payloads({ set: { a: "payload.?b" } }, { c: 1 }), ['{"c":1}']);
});

Deno.test("map drops what it fails on, or marks it and passes it on as it was", async () => {
  const events = json({ a: 1 }, {}, { a: 2 });
  const set = { b: "payload.a" };
  const dropped = await mapped({ set, on_error: "drop" }, events);
  assert.deepEqual([dropped.out.map(({ sequence }) => sequence), dropped.refused], [[1, 3], []]);
  const marked = await mapped({ set, on_error: "mark" }, events);
  assert.deepEqual(marked.out.map(({ payload, marked }) => [payload, marked]), [
    ['{"a":1,"b":1}', false],
    ["{}", true],
    ['{"a":2,"b":2}', false],
  ]);
  assert.equal(
    marked.out[1]!.attributes["busbar.error"],
    "Cannot evaluate set.b: No such key: a",
  );
});

Deno.test("map does not reach what is no member", async () => {
  await assert.rejects(
    withBuiltin("map", { config: { set: { "a.__proto__.b": "1" } } }, () => {}),
    /the name __proto__ is reserved/,
  );
  assert.deepEqual(
    await payloads({ set: { "constructor.x": "1" }, remove: ["toString"] }, "{}"),
    ['{"constructor":{"x":1}}'],
  );
  const own = '{"__proto__":{"a":1},"b":2}';
  assert.deepEqual(await payloads({ remove: ["b"] }, own), ['{"__proto__":{"a":1}}']);
});
