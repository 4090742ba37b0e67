import assert from "node:assert/strict";
import { join } from "node:path";
import { Status } from "../../../ffi/layout.ts";
import { LatencyHistogram } from "../../../src/component/builtin/latency_histogram.ts";
import { fill, withBatch, withBuiltin } from "./support.ts";

Deno.test("percentiles are within 2.3 % of those of all durations", () => {
  const histogram = new LatencyHistogram();
  const durations: number[] = [];
  let state = 1;
  for (let i = 0; i < 20_000; i++) {
    state = Math.imul(state, 1103515245) + 12345 >>> 0;
    durations.push(10 ** (1 + (state >>> 8) % 1000 / 100));
  }
  for (const duration of durations) histogram.add(duration);
  durations.sort((a, b) => a - b);
  for (const part of [0, 0.01, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = durations[Math.max(0, Math.ceil(part * durations.length) - 1)]!;
    const found = histogram.percentile(part);
    assert.ok(Math.abs(found - exact) <= exact * 0.023, `${part}: ${found}, exactly ${exact}`);
  }
  assert.equal(histogram.max, durations.at(-1));
  histogram.clear();
  assert.deepEqual([histogram.percentile(0.5), histogram.count], [0, 0]);
  histogram.add(-5);
  assert.ok(histogram.percentile(1) <= 1);
});

Deno.test("profiler logs percentiles from the events' timestamps on, and writes them to its file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "new/latency.json");
    await withBuiltin("profiler", { config: { interval: "0s", file } }, async (host) => {
      await host.instance.start();
      await withBatch({}, async (batch) => {
        const now = BigInt(Date.now()) * 1_000_000n;
        const events = Array.from({ length: 100 }, (_, i) => ({
          payload: "",
          timestamp: i < 99 ? now - 1_000_000_000n : now - 60_000_000_000n,
        }));
        fill(batch, [...events, { payload: "without time" }]);
        assert.equal(await host.instance.write(batch), Status.OK);
      });
      await host.instance.stop();
      const { fields, message } = host.logs[0]!;
      assert.equal(message, "Latency");
      assert.equal(fields["event_count"], 100);
      const p50 = fields["event_p50_ms"] as number;
      assert.ok(p50 > 950 && p50 < 10_000, `${p50}`);
      assert.ok((fields["event_max_ms"] as number) >= 60_000);
      assert.ok(!("pipeline_count" in fields));
      const written = JSON.parse(await Deno.readTextFile(file));
      assert.deepEqual([written.event.count, written.without_timestamp], [100, 1]);
      assert.equal(written.recent.event.p50, p50);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
