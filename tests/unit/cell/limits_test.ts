import assert from "node:assert/strict";
import { formatBytes, LimitWatch } from "../../../src/cell/limits.ts";

const NONE = { memoryBytes: 2 ** 50, descriptors: 1e9, cpu: null };

Deno.test("check() compares a process with its limits and names both sides", () => {
  assert.equal(new LimitWatch(Deno.pid, NONE).check(5000), undefined);
  assert.match(
    new LimitWatch(Deno.pid, { ...NONE, memoryBytes: 1024 }).check(5000) ?? "",
    /^memory limit exceeded: [\d.]+ [MG]iB of 1 KiB$/,
  );
  assert.match(
    new LimitWatch(Deno.pid, { ...NONE, descriptors: 3 }).check(5000) ?? "",
    /^descriptor limit reached: \d+ open, 3 allowed$/,
  );
});

Deno.test("check() averages processor time over ten seconds of its caller's clock", () => {
  const watch = new LimitWatch(Deno.pid, { ...NONE, cpu: 0.001 });
  assert.equal(watch.check(5000), undefined);
  const until = performance.now() + 100;
  while (performance.now() < until);
  assert.equal(watch.check(14_000), undefined, "the window is not over");
  assert.match(watch.check(15_500) ?? "", /^CPU limit exceeded: 0\.\d\d of 0.001 cores over 10 s$/);
});

Deno.test("check() says nothing of a process that is gone", () => {
  const watch = new LimitWatch(2 ** 22, { memoryBytes: 1, descriptors: 1, cpu: 0.1 });
  assert.equal(watch.check(5000), undefined);
  assert.equal(watch.check(50_000), undefined);
  assert.equal(watch.rss, 0);
});

Deno.test("formatBytes() gives sizes for people", () => {
  assert.deepEqual(
    [0, 1023, 1024, 1.25 * 2 ** 30, 2 ** 60].map(formatBytes),
    ["0 B", "1023 B", "1 KiB", "1.3 GiB", "1048576 TiB"],
  );
});
