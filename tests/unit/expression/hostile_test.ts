import assert from "node:assert/strict";
import { ContentType } from "../../../ffi/layout.ts";
import { compileExpression, ExpressionError } from "../../../src/expression/expression.ts";
import { toJsonText } from "../../../src/expression/json_value.ts";
import { numbers } from "../component/processing.ts";
import { withEvents } from "./support.ts";

const PIECES = [
  ...["payload", "text", "key", "attributes", "timestamp", "size", "math", "optional", "x"],
  ...[".n", ".a.b", '["a"]', "[0]", ".size()", ".map(x, x)", ".exists(x, x > 1)", ".?n", ".foo"],
  ...["1", "2u", "1.5", "'s'", 'b"b"', "true", "null", "[1, 2]", "{'a': 1}", "duration('1s')"],
  ...[" + ", " - ", " * ", " / ", " % ", " == ", " < ", " in ", " && ", " || ", " ? ", " : ", "!"],
  ...["(", ")", "has(", "string(", "int(", "toJson(", "parseJson(", ", ", "\n", "'", "\\", "😀"],
  ...[".matches('(')", ".extract('a')", ".replace('a', 'b')", ".orValue(1)", "cel.bind(x, 1, x)"],
];

const EVENTS = [
  '{"n":1,"a":{"b":[1,2]},"constructor":{"name":"Duration"},"__proto__":{"n":2}}',
  '{"n":"text","toString":1,"valueOf":null,"a":{"constructor":1}}',
  "[[1],[2],{}]",
  '"text"',
  "null",
  "{",
  `${"[".repeat(5000)}${"]".repeat(5000)}`,
].map((payload) => ({ payload, contentType: ContentType.JSON, key: "k" }));

Deno.test("whatever an expression and an event are, they do no harm", () => {
  const chance = numbers(21);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  let compiled = 0;
  withEvents(EVENTS, (view, batch) => {
    for (let round = 0; round < 8000; round++) {
      const text = Array.from({ length: 1 + next(7) }, () => PIECES[next(PIECES.length)]).join("");
      let expression;
      try {
        expression = compileExpression(text, "any");
        compiled++;
      } catch (error) {
        assert.ok(error instanceof ExpressionError, `${text}: ${(error as Error).stack}`);
        const { start, end, message } = error;
        assert.ok(start >= 0 && start <= end && end <= Math.max(1, text.length), text);
        assert.ok(message.length > 0 && message.length < 500, `${text}: ${message}`);
        continue;
      }
      view.open(batch);
      while (view.next()) {
        try {
          toJsonText(expression.evaluate(view));
        } catch (error) {
          assert.ok(error instanceof Error && error.message.length < 500, text);
          assert.ok(!/\n/.test(error.message), `${text}: ${error.message}`);
        }
      }
    }
  });
  assert.ok(compiled > 300, `${compiled}`);
});

Deno.test("the library keeps no more types than a few levels of lists and maps have", () => {
  const sum = compileExpression("payload + 1", "any");
  const nested = (depth: number) => `${'{"a":['.repeat(depth)}1${"]}".repeat(depth)}`;
  withEvents([1, 2, 3, 300].map((depth) => ({ payload: nested(depth) })), (view) => {
    const messages: string[] = [];
    while (view.next()) {
      try {
        sum.evaluate(view);
      } catch (error) {
        messages.push((error as Error).message);
      }
    }
    assert.deepEqual(messages.slice(0, 2), [
      "No such overload: map<string, list<double>> + int",
      "No such overload: map<string, list<map<string, list<double>>>> + int",
    ]);
    assert.equal(messages[2], messages[3]);
  });
});
