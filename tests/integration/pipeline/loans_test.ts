import assert from "node:assert/strict";
import { join } from "node:path";
import {
  collect,
  collected,
  digits,
  metric,
  numbers,
  pass,
  recorderOf,
  sequences,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

const FAST = { initial: "1ms", max: "2ms" };
const lender = (config: Record<string, unknown>) => ({ use: "probe/lender", config });

Deno.test("what a source lends reaches every reaction unspoilt, and each loan comes back once", () =>
  withFolder(async (folder) => {
    const settings: Record<string, Record<string, unknown>> = {
      plain: {},
      again: { again_every: 3 },
      failing: { fail_every: 17 },
      fifo: { pending: true, order: "fifo" },
      lifo: { pending: true, order: "lifo", window: 3 },
      random: { pending: true, order: "random", fail_every: 43 },
    };
    const names = [...Object.keys(settings), "blocking", "copied", "single"];
    const file = (name: string) => join(folder, name);
    const source = { count: 4000, burst: 40, payload_size: 200, max_loans: 6 };
    const pipelines = {
      many: {
        cell: "loans",
        sources: { lender: lender(source) },
        processors: { pass: pass(["lender"]) },
        reactions: {
          ...Object.fromEntries(
            Object.entries(settings).map(([name, config]) => [name, {
              ...collect(["lender"], { file: file(name), ...config }),
              retry: FAST,
            }]),
          ),
          blocking: {
            ...collect(["lender"], { file: file("blocking") }),
            use: "probe/collect-blocking",
          },
          copied: collect(["pass"], { file: file("copied") }),
        },
      },
      one: {
        cell: "loans",
        sources: { lender: lender(source) },
        reactions: { single: collect(["lender"], { file: file("single"), pending: true }) },
      },
      // Keeps the cell, and what it measured, when the others have completed.
      steady: {
        cell: "loans",
        sources: { numbers: numbers(1, { idle: true }) },
        reactions: { gone: { use: "builtin/discard", from: ["numbers"] } },
      },
    };
    await withPipelines(pipelines, async (busbar) => {
      for (const id of ["many", "one"]) {
        await busbar.pipeline(id, ({ status }) => status === "completed");
      }
      const { cell, restarts } = await busbar.get("/api/v1/pipelines/steady");
      assert.equal(restarts, 0);
      const recorder = await recorderOf(cell.pid);
      const lenders = [0, 10];
      for (const index of lenders) {
        assert.deepEqual(
          ["loans_total", "loans_released_total", "loans_outstanding"].map((name) =>
            metric(recorder, index, name)
          ),
          [100, 100, 0],
        );
      }
      assert.deepEqual(busbar.logs.filter(({ message }) => message.includes("loans")), []);
    });
    for (const name of names) {
      const events = await collected(file(name));
      assert.deepEqual(sequences(events).toSorted((a, b) => a - b), upTo(4000), name);
      for (const event of events) {
        assert.equal(digits(event), `${event.sequence}`, name);
        assert.equal(event.payload.length, 200);
      }
    }
  }));

Deno.test("loans come back before their source is destroyed, also when nobody takes the events", async () => {
  const pipelines = {
    web: {
      sources: { lender: lender({ max_loans: 3 }) },
      reactions: {
        never: collect(["lender"], { again_every: 1 }),
        kept: collect(["lender"], { pending: true, window: 64, wait_ms: 3_600_000 }),
      },
      shutdown_timeout: "2s",
    },
  };
  await withPipelines(pipelines, async (busbar) => {
    const { cell } = await busbar.pipeline(
      "web",
      ({ components }) => components[1].queued === 3 && components[2].pending === 3,
    );
    assert.equal(metric(await recorderOf(cell.pid), 0, "loans_outstanding"), 3);
    const { code, stderr } = await busbar.stop();
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /Destroyed before all loans came back|did not stop within/);
  });
});
