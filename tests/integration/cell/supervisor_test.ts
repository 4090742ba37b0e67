import assert from "node:assert/strict";
import { join } from "node:path";
import { createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import type { CellPlugin } from "../../../src/cell/protocol.ts";
import { Supervisor, type SupervisorOptions } from "../../../src/cell/supervisor.ts";
import { parseManifest } from "../../../src/plugin/manifest.ts";
import { fixture, PLUGINS } from "../../fixtures/build.ts";
import { waitFor } from "../../support/busbar.ts";
import { component, pipeline } from "../../unit/cell/places.ts";
import { gone } from "./config.ts";

// Once here, so that no test is taken for the one that left the C library open.
createRecorder(planRecorder(0, 0)).close();

async function probe(): Promise<CellPlugin> {
  const { libraryPath: library, folder: directory, manifest } = await fixture("probe");
  const file = join(directory, "manifest.json");
  return {
    library,
    directory,
    manifest: parseManifest(JSON.stringify(manifest), { file }),
    abiHash: await abiHash(),
  };
}

async function abiHash(): Promise<string> {
  const path = new URL("../../../ffi/abi_versions.json", import.meta.url);
  const { current, versions } = JSON.parse(await Deno.readTextFile(path));
  return versions.find(({ version }: { version: string }) => version === current).hash;
}

/** Runs a supervisor, whose cells run from sources, in a data folder with a path of `length` or more characters. */
async function withSupervisor(
  options: Partial<SupervisorOptions> & Pick<SupervisorOptions, "pipelines">,
  test: (supervisor: Supervisor) => Promise<void>,
  length = 0,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const dataDirectory = join(folder, "d".repeat(Math.max(1, length - folder.length)));
  await Deno.mkdir(dataDirectory);
  const supervisor = await Supervisor.create({
    dataDirectory,
    storeDirectory: PLUGINS,
    plugins: new Map([["probe", await probe()]]),
    preload: [],
    logLevel: "info",
    build: "development",
    ...options,
  });
  try {
    supervisor.start();
    await test(supervisor);
  } finally {
    supervisor.kill();
    await supervisor.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

const sink = {
  ...component("sink", "reaction", "probe/collect"),
  from: [{ component: "in", output: 0 }],
};

function numbers(config: Record<string, unknown>) {
  return [{ ...component("in", "source", "probe/numbers"), outputs: ["out"], config }, sink];
}

Deno.test("pipelines() and whenAllCompleted() follow a pipeline to its end, also under a long data_dir", async () => {
  const statuses: string[] = [];
  await withSupervisor({
    pipelines: [
      pipeline("web", numbers({ count: 1000 })),
      pipeline("off", numbers({}), { enabled: false }),
    ],
    onStatus: (id, status) => statuses.push(`${id} ${status}`),
  }, async (supervisor) => {
    await supervisor.whenAllCompleted();
    assert.deepEqual(statuses, ["web starting", "web running", "web completed"]);
    const [web, off] = supervisor.pipelines();
    assert.deepEqual(
      [web!.status, web!.restarts, web!.lastExit, off!.status, off!.cell],
      ["completed", 0, null, "disabled", null],
    );
    assert.deepEqual(
      web!.components.map((
        { id, kind, plugin, eventsIn, eventsOut, errors },
      ) => [id, kind, plugin, eventsIn, eventsOut, errors]),
      [["in", "source", "probe", 0, 1000, 0], ["sink", "reaction", "probe", 1000, 0, 0]],
    );
  }, 150);
});

Deno.test("metrics() tells what a plugin measures on a thread of its own", async () => {
  const chatty = {
    ...component("in", "source", "probe/chatty"),
    outputs: ["out"],
    config: { records: 1e12, level: 1 },
  };
  await withSupervisor({ pipelines: [pipeline("web", [chatty, sink])] }, async (supervisor) => {
    const metrics = await waitFor(() => {
      const found = supervisor.metrics();
      return found.length === 3 ? found : undefined;
    });
    const byName = new Map(metrics.map((metric) => [metric.name, metric]));
    const counter = byName.get("chatty_records_total")!;
    assert.deepEqual(
      [counter.kind, counter.cell, counter.pipeline, counter.component],
      ["counter", "web", "web", "in"],
    );
    assert.ok(counter.value > 0);
    assert.equal(byName.get("chatty_progress_ratio")!.kind, "gauge");
    const histogram = byName.get("chatty_index_records")!;
    assert.equal(histogram.kind, "histogram");
    assert.ok(histogram.count > 0);
    assert.equal(histogram.buckets.length, 64);
  });
});

Deno.test("kill() ends all cells at once, and none comes back", async () => {
  const web = pipeline("web", numbers({ idle: true, count: 10 }));
  await withSupervisor({ pipelines: [web] }, async (supervisor) => {
    const { pid } = await waitFor(() => {
      const { status, cell } = supervisor.pipelines()[0]!;
      return status === "running" && cell !== null && cell;
    });
    supervisor.kill();
    await gone(pid);
    await waitFor(() => supervisor.pipelines()[0]!.status === "stopped");
    assert.deepEqual(
      [supervisor.pipelines()[0]!.cell, supervisor.pipelines()[0]!.lastExit],
      [null, null],
    );
  });
});

Deno.test("a cell that cannot be started is failed after its restarts, and says why", async () => {
  const restart = { initialMs: 1, maxMs: 1, multiplier: 1, maxRestarts: 2, windowMs: 60_000 };
  const broken = { ...await probe(), library: "/nowhere/libbusbar_source_probe.so" };
  await withSupervisor({
    pipelines: [pipeline("web", numbers({}), { restart })],
    plugins: new Map([["probe", broken]]),
  }, async (supervisor) => {
    await supervisor.whenAllCompleted();
    const { status, restarts, lastExit } = supervisor.pipelines()[0]!;
    assert.deepEqual([status, restarts, lastExit?.reason, lastExit?.call], [
      "failed",
      2,
      "fatal",
      "load",
    ]);
    assert.equal(lastExit?.culprit, "probe 1.0.0");
    assert.match(lastExit?.message ?? "", /plugin probe 1.0.0 failed in load: .*nowhere/);
  });
});
