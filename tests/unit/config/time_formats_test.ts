import assert from "node:assert/strict";
import { offsetOf, type TimeContext, timeReader } from "../../../src/config/time_formats.ts";

const NOW: TimeContext = { offset: 0, near: Date.parse("2026-11-20T12:00:00Z") };
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (number: number) => String(number).padStart(2, "0");

/** Times over four centuries, in milliseconds, the same ones each time. */
function* times(): Generator<number> {
  let state = 7;
  for (let i = 0; i < 2000; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield Math.floor((state / 2 ** 32 - 0.5) * 400 * 365.25 * 86_400_000);
  }
}

Deno.test("times that were written in each format are read back", () => {
  const written: [format: string, write: (date: Date) => string, resolution: number][] = [
    ["iso8601", (date) => date.toISOString(), 1],
    ["iso8601", (date) => date.toISOString().replace("T", " ").replace("Z", "+0000"), 1],
    ["epoch_s", (date) => (date.getTime() / 1000).toFixed(3), 1],
    ["epoch_ms", (date) => String(date.getTime()), 1],
    ["epoch_us", (date) => String(BigInt(date.getTime()) * 1000n), 1],
    ["%Y-%m-%d %H:%M:%S.%f", (date) => date.toISOString().replace("T", " ").slice(0, -1), 1],
    [
      "clf",
      (date) =>
        `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:` +
        `${date.toISOString().slice(11, 19)} +0000`,
      1000,
    ],
    [
      "%e %b %Y, %I:%M:%S %p",
      (date) =>
        `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}, ` +
        `${two((date.getUTCHours() + 11) % 12 + 1)}:${two(date.getUTCMinutes())}:` +
        `${two(date.getUTCSeconds())} ${date.getUTCHours() < 12 ? "am" : "PM"}`,
      1000,
    ],
  ];
  for (const [format, write, resolution] of written) {
    const read = timeReader(format);
    for (const ms of times()) {
      const text = write(new Date(ms));
      const expected = BigInt(Math.floor(ms / resolution) * resolution) * 1_000_000n;
      assert.equal(read(text, NOW), expected, `${text} by ${format}`);
    }
  }
});

Deno.test("a time without a year is in the year in which it is nearest", () => {
  const read = timeReader("%b %d %T");
  const at = (text: string, near: string) =>
    new Date(Number(read(text, { offset: 0, near: Date.parse(near) }) / 1_000_000n)).toISOString();
  assert.equal(at("Dec 31 23:59:59", "2026-01-01T00:00:10Z"), "2025-12-31T23:59:59.000Z");
  assert.equal(at("Jan 01 00:00:01", "2025-12-31T23:59:59Z"), "2026-01-01T00:00:01.000Z");
  assert.equal(at("Jun 15 12:00:00", "2026-11-20T00:00:00Z"), "2026-06-15T12:00:00.000Z");
  assert.equal(at("Feb 29 12:00:00", "2027-12-20T00:00:00Z"), "2028-02-29T12:00:00.000Z");
  assert.throws(() => at("Feb 29 12:00:00", "2026-06-20T00:00:00Z"), /there is no such day/);
});

Deno.test("an offset is minutes east of Greenwich", () => {
  assert.deepEqual(["UTC", "z", "+02:00", "-0330", "+14:00"].map(offsetOf), [0, 0, 120, -210, 840]);
});

Deno.test("what is no time, or no format, is refused with what was found", () => {
  assert.throws(
    () => timeReader("%Y %Q"),
    /^Error: Cannot use time format "%Y %Q": %Q is not known$/,
  );
  assert.throws(() => timeReader("%"), /% is not known/);
  assert.throws(() => timeReader("iso"), /expected iso8601, epoch_s/);
  for (
    const [format, text] of [["%b %d", "Foo 12"], ["%Y", "26"], ["%H", "25"], ["epoch_s", "1e9"]]
  ) {
    assert.throws(() => timeReader(format!)(text, NOW), /^Error: Cannot read /, format);
  }
});
