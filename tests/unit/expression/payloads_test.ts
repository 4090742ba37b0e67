import assert from "node:assert/strict";
import { ContentType } from "../../../ffi/layout.ts";
import { parseJson } from "../../../src/expression/payloads.ts";
import { numbers } from "../component/processing.ts";
import { type TestEvent, withEvent, withEvents } from "./support.ts";

const { JSON: AS_JSON, TEXT, BYTES, CBOR } = ContentType;

/** The payload of an event on its own, or the message of its fault. */
function alone(event: TestEvent): unknown {
  return withEvent(event, (view) => {
    try {
      return view.payload;
    } catch (error) {
      return (error as Error).message;
    }
  });
}

/** The payloads of events in one batch, of those that `wanted` picks. */
function together(events: readonly TestEvent[], wanted: (i: number) => boolean): unknown[] {
  return withEvents(events, (view) => {
    const found: unknown[] = [];
    for (let i = 0; view.next(); i++) {
      if (!wanted(i)) continue;
      try {
        found.push(view.payload);
      } catch (error) {
        found.push((error as Error).message);
      }
    }
    return found;
  });
}

Deno.test("a payload is its JSON, else its text", () => {
  const cases: [TestEvent, unknown][] = [
    [{ payload: "17", contentType: AS_JSON }, 17],
    [{ payload: '"x"', contentType: AS_JSON }, "x"],
    [{ payload: "", contentType: AS_JSON }, null],
    [{ payload: " \n[1]", contentType: BYTES }, [1]],
    [{ payload: '{"a":1}', contentType: TEXT }, { a: 1 }],
    [{ payload: "17", contentType: TEXT }, "17"],
    [{ payload: "{x", contentType: TEXT }, "{x"],
    [{ payload: '{"a":1}', contentType: CBOR }, '{"a":1}'],
    [{ payload: "", contentType: TEXT }, ""],
    [{ payload: new Uint8Array([0x61, 0xff]), contentType: BYTES }, "a\ufffd"],
  ];
  for (const [event, wanted] of cases) assert.deepEqual(alone(event), wanted);
  assert.match(String(alone({ payload: "{", contentType: AS_JSON })), /^Payload is not JSON: /);
  const broken = new Uint8Array([0x22, 0xff, 0x22]);
  assert.match(String(alone({ payload: broken, contentType: AS_JSON })), /^Payload is not JSON: /);
});

Deno.test("whole numbers keep their digits", () => {
  const text =
    '[9007199254740993,-12345678901234567890,{"a":9007199254740992,"b":1.2345678901234567}]';
  const wanted = [9007199254740993n, -12345678901234567890n, {
    a: 9007199254740992n,
    b: 1.2345678901234567,
  }];
  assert.deepEqual(parseJson(text), wanted);
  assert.deepEqual(parseJson("9007199254740993"), 9007199254740993n);
  assert.deepEqual(parseJson('{"a":"id: 9007199254740993"}'), { a: "id: 9007199254740993" });
  const events = [1, 2, 3].map(() => ({ payload: text, contentType: AS_JSON }));
  assert.deepEqual(together(events, () => true), [wanted, wanted, wanted]);
});

Deno.test("whole numbers keep their digits wherever they stand", () => {
  for (const number of [9007199254740993n, 1234567890123457n, -98765432109876543210n]) {
    for (let pad = 0; pad < 40; pad++) {
      const event = { payload: `{"pad":"${"x".repeat(pad)}","n":${number}}`, contentType: AS_JSON };
      const exact = Number.isSafeInteger(Number(number)) ? Number(number) : number;
      const wanted = { pad: "x".repeat(pad), n: exact };
      assert.deepEqual(alone(event), wanted);
      assert.deepEqual(together([event, event, event], () => true), [wanted, wanted, wanted]);
    }
  }
});

Deno.test("payloads that are parsed together are what each is alone", () => {
  const pieces = [
    '{"a":1}',
    "[1,2,{}]",
    '"text"',
    "1,2",
    '"a',
    'b"',
    "1],[2",
    '{"a":1},{"b":',
    "2}",
    "{",
    "}",
    "null",
    "",
    " 7 ",
    "12345678901234567890",
    "100000000000001",
    "// x",
    "\u00e4",
  ];
  const chance = numbers(5);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  for (let round = 0; round < 60; round++) {
    // From hardly any fault to many.
    const choices = pieces.slice(0, round % 4 === 0 ? 3 : pieces.length);
    const events = Array.from({ length: next(400) }, (): TestEvent => ({
      payload: choices[next(choices.length)]!,
      contentType: next(4) === 0 ? TEXT : AS_JSON,
    }));
    const part = next(3);
    const wanted = (i: number) => part === 0 || i % (part * 3) === 0;
    assert.deepEqual(
      together(events, wanted),
      events.filter((_, i) => wanted(i)).map(alone),
    );
  }
});

Deno.test("payloads larger than what is parsed together are parsed alone", () => {
  const events = Array.from({ length: 20 }, (_, i) => ({
    payload: JSON.stringify({ pad: "x".repeat(i % 3 === 0 ? 300_000 : 50_000), i }),
    contentType: AS_JSON,
  }));
  const found = together(events, () => true) as { i: number }[];
  assert.deepEqual(found.map(({ i }) => i), events.map((_, i) => i));
});

Deno.test("a view may be used for one batch after the other", () => {
  withEvents([{ payload: '{"a":1}' }, { payload: '{"a":2}' }], (view, batch) => {
    for (let round = 0; round < 3; round++) {
      view.open(batch);
      view.next();
      assert.deepEqual(view.payload, { a: 1 });
      assert.equal(view.payload, view.payload);
      view.next();
      assert.deepEqual(view.payload, { a: 2 });
      assert.equal(view.next(), false);
    }
  });
});
