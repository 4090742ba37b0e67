/** Configurations for tests of cells, around the fixture plugins. */
import { fixture, PLUGINS } from "../../fixtures/build.ts";
import { type Busbar, waitFor } from "../../support/busbar.ts";

/** A pipeline of `faulty` alone, where one component has the settings. */
export function faultyPipeline(
  kind: "source" | "processor" | "reaction",
  config: Record<string, unknown>,
): Record<string, unknown> {
  const use = (name: string) => ({
    use: `faulty/${name}`,
    ...(name === kind ? { config } : {}),
  });
  return {
    sources: { source: use("source") },
    processors: { processor: { ...use("processor"), from: ["source"] } },
    reactions: { reaction: { ...use("reaction"), from: ["processor"] } },
  };
}

/** A pipeline that goes on for ever, a few hundred events a second. */
export function steadyPipeline(): Record<string, unknown> {
  return {
    sources: {
      numbers: { use: "probe/numbers", config: { wake: true, interval_ms: 20, burst: 4 } },
    },
    reactions: { sink: { use: "probe/collect", from: ["numbers"] } },
  };
}

/** The pipelines, and beside them `steady`. */
export async function config(
  pipelines: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  for (const name of ["probe", "faulty"]) await fixture(name);
  return {
    log: { level: "debug", format: "json" },
    plugins: { directories: [PLUGINS] },
    pipelines: { steady: steadyPipeline(), ...pipelines },
    ...more,
  };
}

/** Waits until `steady` runs, and gives a function that fails unless it was never touched and still moves events. */
export async function watchSteady(busbar: Busbar): Promise<() => Promise<void>> {
  const moved = (pipeline: { components: { eventsIn: number }[] }) =>
    pipeline.components.at(-1)!.eventsIn;
  const before = await busbar.pipeline("steady", (pipeline) => moved(pipeline) > 0);
  return async () => {
    const now = await busbar.pipeline("steady", ({ status }) => status === "running");
    if (now.cell.pid !== before.cell.pid || now.restarts !== 0) {
      throw new Error(`Pipeline "steady" was touched: ${JSON.stringify(now)}`);
    }
    await busbar.pipeline("steady", (pipeline) => moved(pipeline) > moved(now));
  };
}

/** Waits until no process with the pid is left. */
export async function gone(pid: number): Promise<void> {
  await waitFor(
    () => Deno.stat(`/proc/${pid}`).then(() => false, () => true),
    { what: `the end of process ${pid}` },
  );
}
