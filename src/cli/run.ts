import { ConfigError, hasErrors } from "../config/diagnostic.ts";
import type { FlagOverride } from "../config/overrides.ts";
import { runHost } from "../host/host.ts";
import { makePlan } from "../host/plan.ts";
import { setupLogging } from "../log.ts";
import { readConfig } from "./config_file.ts";
import { ExitCode } from "./exit_codes.ts";
import type { RunOptions } from "./program.ts";

/** `busbar run`: until a signal, or until everything is done. `--json` makes the log JSON. */
export async function run(options: RunOptions): Promise<ExitCode> {
  const load = () => readConfig(options, flagsOf(options));
  const loaded = await load();
  const plan = await makePlan(loaded, options.pluginDir);
  if (hasErrors(plan.diagnostics)) throw refusal(loaded.source.file, plan);
  await setupLogging(loaded.config.log);
  const end = await runHost(loaded, plan, {
    load,
    pluginDirs: options.pluginDir,
    untilDone: options.untilDone ?? false,
    onImpatience: (signal) =>
      Deno.exit(signal === "SIGINT" ? ExitCode.INTERRUPTED : ExitCode.TERMINATED),
  });
  return end === "failed" ? ExitCode.FAILURE : ExitCode.OK;
}

function flagsOf({ host, port, json }: RunOptions): FlagOverride[] {
  return [
    ...host === undefined ? [] : [{ flag: "--host", path: "server.host", value: host }],
    ...port === undefined ? [] : [{ flag: "--port", path: "server.port", value: port }],
    ...json ? [{ flag: "--json", path: "log.format", value: "json" }] : [],
  ];
}

/** A refused plugin is what makes another one unknown, so both are told. */
function refusal(file: string, plan: Awaited<ReturnType<typeof makePlan>>): ConfigError {
  for (const { message } of plan.plugins.problems) console.error(`busbar: ${message}`);
  return new ConfigError(file, plan.diagnostics);
}
