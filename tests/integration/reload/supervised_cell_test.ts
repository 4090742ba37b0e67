import assert from "node:assert/strict";
import { join } from "node:path";
import { createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import { TICK_MS } from "../../../src/cell/cell_run.ts";
import type { PlannedCell } from "../../../src/cell/cell_plan.ts";
import { ReloadError } from "../../../src/cell/reload_error.ts";
import { socketFolder } from "../../../src/cell/socket_folder.ts";
import { StandardInput } from "../../../src/cell/standard_input.ts";
import { SupervisedCell } from "../../../src/cell/supervised_cell.ts";
import type { ResolvedPipeline } from "../../../src/config/resolved.ts";
import { waitFor } from "../../support/busbar.ts";
import { component, pipeline } from "../../unit/cell/places.ts";
import { gone } from "../cell/config.ts";
import type { Script } from "./fake_cell.ts";

// Once here, so that no test is taken for the one that left the C library open.
createRecorder(planRecorder(0, 0)).close();

interface Bench {
  cell: SupervisedCell;
  /** What the cells did, in order. */
  journal: () => string[];
  statuses: string[];
  plan: (version: number, deeds?: Script["deeds"]) => PlannedCell;
}

/** Runs a cell whose version 1 does `deeds`, once it is running. */
async function withCell(
  deeds: Script["deeds"],
  test: (bench: Bench) => Promise<void>,
  changes: Partial<ResolvedPipeline> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const file = join(folder, "journal");
  const plan: Bench["plan"] = (version, deeds = {}) => {
    const config = { journal: file, version, deeds };
    const one = { ...component("in", "source", "builtin/generate"), config };
    return {
      name: "web",
      pipelines: [{
        pipeline: pipeline("web", [one], changes),
        partitionIndex: 0,
        partitionCount: 1,
        dataDirectory: folder,
        storePath: join(folder, "web.db"),
      }],
    };
  };
  const script = new URL("fake_cell.ts", import.meta.url).pathname;
  const sockets = socketFolder(folder);
  const statuses: string[] = [];
  const cell = new SupervisedCell({ plan: plan(1, deeds), plugins: new Map() }, {
    executable: {
      command: Deno.execPath(),
      args: ["run", "-A", "--quiet", "--no-check", script],
      release() {},
    },
    build: "b1",
    sockets,
    storeDirectory: folder,
    preload: [],
    logLevel: "info",
    print: () => Promise.resolve(),
    standardInput: new StandardInput(sockets),
  }, { onStatus: (id) => void statuses.push(cell.status(id)) });
  const timer = setInterval(() => cell.tick(), TICK_MS);
  try {
    cell.start();
    await waitFor(() => cell.status("web") === "running");
    const journal = () => Deno.readTextFileSync(file).trim().split("\n");
    await test({ cell, journal, statuses, plan });
  } finally {
    clearInterval(timer);
    cell.kill();
    await cell.stop();
    sockets.remove();
    await Deno.remove(folder, { recursive: true });
  }
}

async function refused(work: Promise<void>): Promise<ReloadError> {
  const error = await work.then(() => assert.fail("It was not refused"), (error: Error) => error);
  assert.ok(error instanceof ReloadError, String(error));
  return error;
}

Deno.test("replace() creates the successor beside the old cell, pauses that one, and ends it last", async () => {
  await withCell({}, async ({ cell, journal, statuses, plan }) => {
    const { pid } = cell.process!;
    await cell.replace(plan(2), new Map());
    assert.deepEqual(journal(), ["1 init", "2 init", "1 pause", "2 activate", "1 stop"]);
    await gone(pid);
    assert.notEqual(cell.process!.pid, pid);
    assert.deepEqual(statuses, ["starting", "running", "reloading", "running"]);
    const { count, lastGapMs, lastError } = cell.reloads;
    assert.deepEqual([count, lastError, cell.restarts, cell.lastExit], [1, null, 0, undefined]);
    assert.ok(lastGapMs !== null && lastGapMs >= 0);
  });
});

for (
  const [deed, message, phase, expected] of [
    ["fail", "init", "create", ["1 init", "2 init:fail"]],
    ["die", "init", "load", ["1 init", "2 init:die"]],
    ["hang", "init", "load", ["1 init", "2 init:hang"]],
    ["fail", "activate", "restore", ["1 init", "2 init", "1 pause", "2 activate:fail", "1 resume"]],
    ["die", "activate", "start", ["1 init", "2 init", "1 pause", "2 activate:die", "1 resume"]],
    ["hang", "activate", "start", ["1 init", "2 init", "1 pause", "2 activate:hang", "1 resume"]],
  ] as const
) {
  Deno.test(`replace() goes back to the old cell when the new one would ${deed} on ${message}`, async () => {
    await withCell({}, async ({ cell, journal, plan }) => {
      const { pid } = cell.process!;
      const error = await refused(cell.replace(plan(2, { [message]: deed }), new Map()));
      assert.equal(error.phase, phase);
      assert.match(error.message, /^Cannot reload cell "web" in \w+: /);
      if (deed === "fail") assert.match(error.message, /web\.in: it does not want to/);
      assert.deepEqual(journal(), expected);
      assert.deepEqual(
        [cell.process!.pid, cell.status("web"), cell.restarts, cell.reloads.lastError],
        [pid, "running", 0, error.message],
      );
      await cell.replace(plan(3), new Map());
      assert.equal(journal().at(-2), "3 activate");
      assert.deepEqual([cell.reloads.count, cell.reloads.lastError], [1, null]);
    }, { timeouts: { createMs: 3000, callMs: 1000, stopMs: 1000, healthMs: 1000 } });
  });
}

for (const deed of ["die", "hang"] as const) {
  Deno.test(`replace() lets the successor go on when the old cell would ${deed} on pause`, async () => {
    await withCell({ pause: deed }, async ({ cell, journal, plan }) => {
      const { pid } = cell.process!;
      await cell.replace(plan(2), new Map());
      await gone(pid);
      assert.deepEqual(journal(), ["1 init", "2 init", `1 pause:${deed}`, "2 activate"]);
      assert.deepEqual([cell.status("web"), cell.restarts], ["running", 0]);
      assert.notEqual(cell.lastExit, undefined);
    }, { shutdownTimeoutMs: 1000 });
  });
}

Deno.test("when both end, the old one is restarted as after any crash", async () => {
  await withCell({ resume: "die" }, async ({ cell, journal, plan }) => {
    await refused(cell.replace(plan(2, { activate: "die" }), new Map()));
    await waitFor(() => cell.status("web") === "running" && cell.restarts === 1);
    assert.equal(journal().at(-1), "1 init");
  });
});

Deno.test("a crash after a reload restarts the new plan", async () => {
  await withCell({}, async ({ cell, journal, plan }) => {
    await cell.replace(plan(2), new Map());
    Deno.kill(cell.process!.pid, "SIGKILL");
    await waitFor(() => cell.restarts === 1 && cell.status("web") === "running");
    assert.equal(journal().at(-1), "2 init");
  });
});

Deno.test("replace() brings back a cell that had failed for good", async () => {
  await withCell({}, async ({ cell, journal, plan }) => {
    Deno.kill(cell.process!.pid, "SIGKILL");
    await waitFor(() => cell.status("web") === "failed");
    await refused(cell.replace(plan(2, { init: "fail" }), new Map()));
    assert.equal(cell.status("web"), "failed");
    await cell.replace(plan(3), new Map());
    assert.deepEqual([cell.status("web"), journal().at(-1)], ["running", "3 activate"]);
  }, { restart: { initialMs: 1, maxMs: 1, multiplier: 1, maxRestarts: 0, windowMs: 1000 } });
});

Deno.test("reloads of a cell come one after the other, and stop() ends the one under way", async () => {
  await withCell({}, async ({ cell, journal, plan }) => {
    await Promise.all([cell.replace(plan(2), new Map()), cell.replace(plan(3), new Map())]);
    assert.deepEqual(journal().slice(1), [
      ...["2 init", "1 pause", "2 activate", "1 stop"],
      ...["3 init", "2 pause", "3 activate", "2 stop"],
    ]);
    const under = refused(cell.replace(plan(4, { activate: "hang" }), new Map()));
    await waitFor(() => journal().at(-1) === "4 activate:hang");
    await cell.stop();
    await under;
    assert.deepEqual([cell.status("web"), cell.process], ["stopped", undefined]);
  });
});

Deno.test("pause() keeps the process, a reload meanwhile waits with the new one, and resume() starts it", async () => {
  await withCell({}, async ({ cell, journal, plan }) => {
    await cell.pause();
    assert.equal(cell.status("web"), "paused");
    await cell.resume();
    assert.equal(cell.status("web"), "running");
    await cell.pause();
    await cell.replace(plan(2), new Map());
    assert.equal(cell.status("web"), "paused");
    await cell.resume();
    assert.deepEqual(journal(), [
      ...["1 init", "1 pause", "1 resume", "1 pause"],
      ...["2 init", "1 stop", "2 activate"],
    ]);
    assert.equal(cell.status("web"), "running");
  });
});

Deno.test("a pipeline that completes while its cell is replaced stays completed, and nothing is left", async () => {
  await withCell({ pause: "complete" }, async ({ cell, plan }) => {
    await cell.replace(plan(1, { pause: "complete" }), new Map());
    await waitFor(() => cell.process === undefined);
    assert.equal(cell.status("web"), "completed");
  });
});
