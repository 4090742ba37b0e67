import assert from "node:assert/strict";
import { sampleLog } from "../../../scripts/lib/sample_log.ts";

const COMBINED = /^\S+ - - \[[^\]]+\] "[^"]*" \d{3} \d+ "[^"]*" "[^"]*"$/;

Deno.test("sampleLog() gives the same lines for the same seed", () => {
  assert.equal(sampleLog({ lines: 500 }), sampleLog({ lines: 500 }));
  assert.notEqual(sampleLog({ lines: 500 }), sampleLog({ lines: 500, seed: 2 }));
});

Deno.test("sampleLog() mixes good lines, broken ones with a status in field 9, and others", () => {
  const lines = sampleLog({ lines: 10_000 }).trimEnd().split("\n");
  assert.equal(lines.length, 10_000);
  const broken = lines.filter((line) => !COMBINED.test(line));
  const readable = broken.filter((line) => /^\d{3}$/.test(line.split(/\s+/)[8] ?? ""));
  assert.ok(readable.length >= 10 && readable.length < 100, `${readable.length} readable`);
  const lost = broken.length - readable.length;
  assert.ok(lost >= 2 && lost < 50, `${lost} lost`);
});
