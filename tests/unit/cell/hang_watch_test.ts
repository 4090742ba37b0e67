import assert from "node:assert/strict";
import { CALL_NUMBER } from "../../../ffi/recorder_layout.ts";
import type { KillReason } from "../../../src/cell/blame.ts";
import { CellRecorder, createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import { HangWatch } from "../../../src/cell/hang_watch.ts";
import { RecorderReader } from "../../../src/cell/recorder_reader.ts";

// Once here, so that no test is taken for the one that left the C library open.
createRecorder(planRecorder(0, 0)).close();

const TICK_MS = 100;
const TIMEOUTS = { createMs: 1000, callMs: 500, stopMs: 300, healthMs: 200 };

interface Bench {
  cell: CellRecorder;
  /** Ticks until the verdict, at most `most`; undefined when there was none. */
  ticksUntil(phase: "hello" | "starting" | "up", most: number): [number, KillReason] | undefined;
  held: boolean;
  heldQueries: number;
}

function withWatch(test: (bench: Bench) => void): void {
  const plan = planRecorder(2, 0);
  const file = createRecorder(plan);
  const bench: Bench = {
    cell: new CellRecorder(file.buffer),
    held: false,
    heldQueries: 0,
    ticksUntil(phase, most) {
      for (let tick = 1; tick <= most; tick++) {
        const reason = watch.tick(phase);
        if (reason !== undefined) return [tick, reason];
      }
      return undefined;
    },
  };
  const watch = new HangWatch(new RecorderReader(file.buffer, plan), {
    timeouts: [TIMEOUTS, TIMEOUTS],
    tickMs: TICK_MS,
    isHeld() {
      bench.heldQueries++;
      return bench.held;
    },
  });
  try {
    test(bench);
  } finally {
    file.close();
  }
}

Deno.test("a call that outlives the timeout of its class is named", () => {
  const expected = { create: 10, start: 10, poll: 5, write: 5, stop: 3, destroy: 3, health: 2 };
  for (const [call, ticks] of Object.entries(expected)) {
    withWatch(({ cell, ticksUntil }) => {
      cell.component(1).enter(CALL_NUMBER[call as keyof typeof expected]);
      assert.deepEqual(ticksUntil("up", 20), [ticks + 1, {
        reason: "hang",
        message: `call did not return within ${ticks * TICK_MS} ms`,
        component: 1,
      }]);
    });
  }
});

Deno.test("short calls never add up, and an idle cell is not looked at more closely", () => {
  withWatch((bench) => {
    const record = bench.cell.component(0);
    for (let i = 0; i < 50; i++) {
      record.enter(CALL_NUMBER.poll);
      assert.equal(bench.ticksUntil("up", 1), undefined);
      record.leave(0);
      record.enter(CALL_NUMBER.poll);
      assert.equal(bench.ticksUntil("up", 1), undefined);
      record.leave(0);
      bench.cell.beat();
      assert.equal(bench.ticksUntil("up", 1), undefined);
    }
    assert.equal(bench.heldQueries, 0);
  });
});

Deno.test("time that a cell was stopped or traced does not count", () => {
  withWatch((bench) => {
    bench.cell.component(0).enter(CALL_NUMBER.poll);
    assert.equal(bench.ticksUntil("up", 4), undefined);
    bench.held = true;
    assert.equal(bench.ticksUntil("up", 1000), undefined);
    bench.held = false;
    assert.equal(bench.ticksUntil("up", 10)?.[0], 2);
  });
});

Deno.test("an event loop that stands still outside of any call is noticed, a call is not mistaken for it", () => {
  withWatch(({ cell, ticksUntil }) => {
    const silent = ticksUntil("up", 1000);
    assert.equal(silent?.[0], 100, "never before 10 s, however short the timeout of calls");
    assert.equal(silent?.[1].reason, "unresponsive");
    const record = cell.component(0);
    for (let i = 0; i < 200; i++) {
      record.enter(CALL_NUMBER.poll);
      assert.equal(ticksUntil("up", 2), undefined);
      record.leave(0);
    }
  });
});

Deno.test("while a cell starts, any finished call is a sign of life; before its hello there is more time", () => {
  withWatch(({ cell, ticksUntil }) => {
    for (let i = 0; i < 200; i++) {
      cell.component(0).enter(CALL_NUMBER.create);
      cell.component(0).leave(0);
      assert.equal(ticksUntil("starting", 1), undefined);
    }
    assert.equal(ticksUntil("starting", 1000)?.[0], 100);
  });
  withWatch(({ ticksUntil }) => assert.equal(ticksUntil("hello", 1000)?.[0], 600));
});
