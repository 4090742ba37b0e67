import assert from "node:assert/strict";
import { parseDuration, parseRate, parseSize } from "../../../src/config/units.ts";

Deno.test("parseDuration() reads every unit as milliseconds", () => {
  const read = ["500ms", "30s", "5m", "1h", "1d", "1.5s", " 2 s ", "0", 0].map(parseDuration);
  assert.deepEqual(read, [500, 30_000, 300_000, 3_600_000, 86_400_000, 1500, 2000, 0, 0]);
});

Deno.test("parseSize() reads binary and decimal units and bare bytes", () => {
  const read = ["64MiB", "10MB", "1024B", "1kB", "2GiB", "7", 7, "1.5KiB"].map(parseSize);
  assert.deepEqual(read, [67108864, 1e7, 1024, 1000, 2147483648, 7, 7, 1536]);
});

Deno.test("parseRate() reads a rate per second", () => {
  assert.deepEqual(["100/s", "6000/m", "3600/h", "5", 5].map(parseRate), [100, 100, 1, 5, 5]);
});

Deno.test("the readers of units refuse everything else and say what they expected", () => {
  for (const bad of ["", "s", "5", "5 parsecs", "-1s", "1e3s", "5S", "1s2", "constructor", NaN]) {
    assert.throws(
      () => parseDuration(bad),
      /^RangeError: Cannot read duration .*: expected a number/,
    );
  }
  for (const bad of ["", "MiB", "-1", "5Mb", "5 mib", "0x10", -1, Infinity, "1toString"]) {
    assert.throws(() => parseSize(bad), /^RangeError: Cannot read size .*: expected a number/);
  }
  for (const bad of ["", "/s", "5/d", "5/ms", "-5/s"]) {
    assert.throws(() => parseRate(bad), /^RangeError: Cannot read rate .*: expected a number/);
  }
});
