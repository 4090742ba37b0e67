import assert from "node:assert/strict";
import { closest, didYouMean } from "../../../src/config/suggest.ts";

Deno.test("closest() finds slips of the finger, swaps, cut-off names and - for _", () => {
  assert.equal(closest("prot", ["host", "port"]), "port");
  assert.equal(closest("acces-log", ["file-tail", "access-log"]), "access-log");
  assert.equal(closest("max-events", ["max_bytes", "max_events"]), "max_events");
  assert.equal(closest("warn", ["info", "warning"]), "warning");
  assert.equal(closest("PORT", ["port"]), "port");
});

Deno.test("closest() finds nothing far away or absurdly long", () => {
  assert.equal(closest("kafka", ["file-tail", "access-log"]), undefined);
  assert.equal(closest("x".repeat(1_000_000), ["x".repeat(1_000_000)]), undefined);
});

Deno.test("didYouMean() lists what there is where nothing is near", () => {
  assert.equal(didYouMean("prot", ["host", "port"]), 'did you mean "port"?');
  assert.equal(didYouMean("zzzzzz", ["host", "port"]), "there are: host, port");
  assert.equal(didYouMean("zzzzzz", []), undefined);
});
