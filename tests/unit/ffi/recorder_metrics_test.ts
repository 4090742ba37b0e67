import assert from "node:assert/strict";
import { CellRecorder, createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import { METRIC_MAX } from "../../../ffi/recorder_layout.ts";
import { RecorderReader } from "../../../src/cell/recorder_reader.ts";

// Once here, so that no test is taken for the one that left the C library open.
createRecorder(planRecorder(0, 0)).close();

function withRecorder(test: (reader: RecorderReader, cell: CellRecorder) => void): void {
  const plan = planRecorder(3, 0);
  const file = createRecorder(plan);
  try {
    test(new RecorderReader(file.buffer, plan), new CellRecorder(file.buffer));
  } finally {
    file.close();
  }
}

Deno.test("what a built-in component counts and measures, the host reads", () => {
  withRecorder((reader, cell) => {
    const { metrics } = cell.component(1);
    const count = metrics.counter("things");
    count();
    count(2 ** 33);
    cell.component(2).metrics.counter("things")(5);
    // The same one again.
    metrics.counter("things")(4);
    const level = metrics.gauge("level");
    level(3);
    level(-1.5);
    const time = metrics.histogram("time_seconds");
    for (const value of [0, -1, 1, 1.5, 2, 1e300, 1e-300]) time(value);
    const found = reader.metrics().toSorted((a, b) =>
      a.name.localeCompare(b.name) || a.component! - b.component!
    );
    assert.deepEqual(
      found.map(({ name, kind, component, value }) => [name, kind, component, value]),
      [
        ["level", "gauge", 1, -1.5],
        ["things", "counter", 1, 2 ** 33 + 5],
        ["things", "counter", 2, 5],
        ["time_seconds", "histogram", 1, 1e300],
      ],
    );
    const buckets = found[3]!.buckets!;
    assert.deepEqual(
      buckets.flatMap((observed, bucket) => observed > 0 ? [[bucket, observed]] : []),
      [[0, 3], [33, 2], [34, 1], [63, 1]],
    );
  });
});

Deno.test("metrics beyond those that there is room for are counted, and count nothing", () => {
  withRecorder((reader, cell) => {
    const { metrics } = cell.component(0);
    for (let i = 0; i < METRIC_MAX; i++) metrics.counter(`metric_${i}`)(i);
    assert.equal(reader.metricsDropped(), 0);
    for (const kind of ["counter", "gauge", "histogram"] as const) metrics[kind]("one_more")(1);
    assert.equal(reader.metricsDropped(), 3);
    assert.equal(reader.metrics().length, METRIC_MAX);
    metrics.counter("metric_7")(1);
    assert.equal(reader.metrics().find(({ name }) => name === "metric_7")!.value, 8);
  });
});

Deno.test("a metric's name is cut to what the recorder holds", () => {
  withRecorder((reader, cell) => {
    cell.component(0).metrics.counter("ä".repeat(40))();
    assert.equal(reader.metrics().length, 1);
    assert.ok(reader.metrics()[0]!.name.startsWith("ä".repeat(31)));
  });
});
