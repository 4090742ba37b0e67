/** Configurations for tests of cells, around the fixture plugins. */
import { fixture, PLUGINS } from "../../fixtures/build.ts";
import { type Busbar, type BusbarOptions, waitFor, withBusbar } from "../../support/busbar.ts";

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

/** Runs busbar with the pipelines, and `steady` beside them, and calls `action` once its API answers. */
export async function withPipelines<T>(
  pipelines: Record<string, unknown>,
  action: (busbar: Busbar) => Promise<T>,
  options: Omit<BusbarOptions, "config"> = {},
): Promise<T> {
  for (const name of ["probe", "faulty"]) await fixture(name);
  const config = {
    log: { level: "debug", format: "json" },
    plugins: { directories: [PLUGINS] },
    pipelines: { steady: steadyPipeline(), ...pipelines },
  };
  return await withBusbar({ ...options, config }, async (busbar) => {
    await waitFor(() => busbar.address, { what: "its address", busbar });
    return await action(busbar);
  });
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

/** Waits until the process has ended, whether or not anybody reaped it. */
export async function gone(pid: number): Promise<void> {
  const ended = async () => {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => undefined);
    return stat === undefined || stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  };
  await waitFor(ended, { what: `the end of process ${pid}` });
}
