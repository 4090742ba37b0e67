import { join } from "node:path";
import type { GoodInspection } from "../plugin/inspect.ts";
import { makeConfigs } from "./configs.ts";
import { type BenchResult, Driver } from "./driver.ts";
import { ConformanceError, NO_FIXTURE, readFixtures } from "./fixtures.ts";
import { makePlan, wantsServer } from "./plan.ts";
import { SinkServer } from "./sink_server.ts";
import type { Json } from "./value_for_schema.ts";

/** What is measured, and how. */
export interface BenchOptions {
  /** The component's name; may be left out where the plugin has only one. */
  component?: string;
  /** Bytes of a payload, for those that are given events. */
  payload: number;
  /** Events in a batch. */
  batch: number;
  seconds: number;
  /** Settings, instead of those that tests would use. */
  config?: Json;
  fixtures?: string;
}

/** What the driver measured, and of what. */
export interface Measurement extends BenchResult {
  readonly plugin: string;
  readonly component: { readonly kind: string; readonly name: string };
  readonly payload: number;
  readonly batch: number;
}

/** What a measurement may take beside the time it measures for, in milliseconds. */
const MARGIN_MS = 30_000;

/**
 * Pushes batches through a component as fast as it takes them, in a process of its own.
 *
 * @throws {ConformanceError} when the component cannot be found, or fails
 */
export async function benchPlugin(
  plugin: GoodInspection,
  options: BenchOptions,
): Promise<Measurement> {
  const component = chosen(plugin, options.component);
  const file = await readFixtures(plugin.library, options.fixtures);
  const fixture = file?.components[component.name] ?? NO_FIXTURE;
  const given = [options.config, fixture.config].filter((config) => config !== undefined);
  const configs = await makeConfigs({ schema: component.config_schema, given }, 1);
  if (configs.working === undefined) {
    throw new ConformanceError(`Cannot measure "${component.name}": there are ${configs.origin}`);
  }
  const folder = await Deno.makeTempDir({ prefix: "busbar_bench_" });
  try {
    await using server = wantsServer(fixture) ? new SinkServer() : undefined;
    const { payload, batch, seconds } = options;
    const timeoutMs = seconds * 1000 + MARGIN_MS;
    const plan = makePlan({
      plugin,
      component,
      fixture,
      configs,
      seed: 1,
      timeoutMs,
      httpUrl: server?.url,
    }, []);
    const own = join(folder, "bench");
    await Deno.mkdir(own);
    const result = await (await Driver.open(folder)).bench({
      plan: { ...plan, bench: { payload, batch, seconds } },
      folder: own,
      timeoutMs,
    });
    const { kind, name } = component;
    return { plugin: plugin.name, component: { kind, name }, payload, batch, ...result };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function chosen({ name: plugin, manifest }: GoodInspection, wanted: string | undefined) {
  const { components } = manifest;
  const found = wanted === undefined && components.length === 1
    ? components[0]
    : components.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const names = components.map(({ name }) => `"${name}"`).join(", ");
  throw new ConformanceError(
    wanted === undefined
      ? `Cannot measure plugin "${plugin}": it has several components; choose one with --component: ${names}`
      : `Cannot measure component "${wanted}": plugin "${plugin}" has ${names}`,
  );
}
