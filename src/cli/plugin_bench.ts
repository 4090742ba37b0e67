import { benchPlugin, type Measurement } from "../conformance/bench.ts";
import { ConformanceError } from "../conformance/fixtures.ts";
import { isObject } from "../conformance/value_for_schema.ts";
import { inspectPlugin, requireGood } from "../plugin/inspect.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { paint, printFields, printJson } from "./output.ts";
import type { GlobalOptions } from "./program.ts";

export interface BenchCommandOptions extends GlobalOptions {
  component?: string;
  /** In bytes. */
  payload: number;
  /** In events. */
  batch: number;
  seconds: number;
  /** JSON text. */
  config?: string;
  fixtures?: string;
}

/** `busbar plugin bench`: prints what a component's calls take. */
export async function bench(file: string, options: BenchCommandOptions): Promise<ExitCode> {
  const { component, payload, batch, seconds, fixtures } = options;
  const plugin = requireGood(await inspectPlugin(file));
  let result: Measurement;
  try {
    result = await benchPlugin(plugin, {
      payload,
      batch,
      seconds,
      ...(component !== undefined && { component }),
      ...(fixtures !== undefined && { fixtures }),
      ...(options.config !== undefined && { config: parseConfig(options.config) }),
    });
  } catch (error) {
    if (error instanceof ConformanceError) throw new CommandError(ExitCode.FAILURE, error.message);
    throw error;
  }
  if (options.json) printJson(result);
  else print(result);
  return ExitCode.OK;
}

function parseConfig(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CommandError(ExitCode.USAGE, `Cannot read --config: ${(error as Error).message}`);
  }
  if (isObject(value)) return value;
  throw new CommandError(ExitCode.USAGE, "Cannot read --config: it is not a JSON object");
}

function print(result: Measurement): void {
  const { component, payload, batch, events, calls, seconds, call_ns, baseline } = result;
  const ratio = result.ns_per_event / baseline.ns_per_event;
  console.log(`${paint(result.plugin, "bold")} ${component.kind} ${component.name}`);
  printFields([
    ["measured", `${count(events)} events in ${count(calls)} calls, ${seconds.toFixed(2)} s`],
    ["input", `batches of ${count(batch)} events, ${count(payload)} bytes of payload each`],
    ["events", `${count(Math.round(result.events_per_second))}/s`],
    ["bytes", `${(result.bytes_per_second / 1e6).toFixed(1)} MB/s`],
    ["an event", time(result.ns_per_event)],
    [
      "a call",
      `half within ${time(call_ns.p50)}, 90 % ${time(call_ns.p90)}, 99 % ${
        time(call_ns.p99)
      }, 99.9 % ${time(call_ns.p999)}, all ${time(call_ns.max)}`,
    ],
    [
      "doing nothing",
      `${time(baseline.ns_per_event)} an event; this is ${ratio.toFixed(1)} times that`,
    ],
  ]);
}

function count(value: number): string {
  return value.toLocaleString("en");
}

/** Nanoseconds, in a unit that suits them. */
function time(ns: number): string {
  if (ns < 1_000) return `${ns.toFixed(1)} ns`;
  if (ns < 1_000_000) return `${(ns / 1_000).toFixed(1)} µs`;
  return `${(ns / 1_000_000).toFixed(1)} ms`;
}
