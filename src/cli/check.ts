import { ConfigError, type Diagnostic, formatDiagnostic, hasErrors } from "../config/diagnostic.ts";
import type { LoadedConfig } from "../config/load.ts";
import { makePlan, type Plan } from "../host/plan.ts";
import type { PluginProblem } from "../plugin/errors.ts";
import { readConfig } from "./config_file.ts";
import { ExitCode } from "./exit_codes.ts";
import { hasColour, paint, printJson } from "./output.ts";
import type { ConfigOptions } from "./program.ts";

/** `busbar check`: all that is wrong with a configuration; loads no plugin and opens no connection. */
export async function check(options: ConfigOptions): Promise<ExitCode> {
  let loaded: LoadedConfig;
  try {
    loaded = await readConfig(options);
  } catch (error) {
    if (!options.json || !(error instanceof ConfigError)) throw error;
    printJson({ ok: false, diagnostics: error.diagnostics, pluginProblems: [], pipelines: [] });
    return ExitCode.USAGE;
  }
  const plan = await makePlan(loaded, options.pluginDir);
  const { diagnostics, plugins: { problems } } = plan;
  const ok = !hasErrors(diagnostics);
  if (options.json) {
    const pipelines = plan.pipelines.map(({ id, enabled }) => ({ id, enabled }));
    printJson({ ok, diagnostics, pluginProblems: problems, pipelines });
  } else {
    printFindings(diagnostics, problems);
    if (ok) console.log(summary(loaded.source.file, plan));
  }
  return ok ? ExitCode.OK : ExitCode.USAGE;
}

function printFindings(diagnostics: Diagnostic[], problems: PluginProblem[]): void {
  for (const { message } of problems) console.error(`busbar: ${message}`);
  const colour = hasColour(Deno.stderr);
  for (const diagnostic of diagnostics) console.error(formatDiagnostic(diagnostic, { colour }));
}

function summary(file: string, { pipelines, plugins, diagnostics }: Plan): string {
  const enabled = pipelines.filter(({ enabled }) => enabled).length;
  const warnings = diagnostics.length + plugins.problems.length;
  const parts = [
    counted(enabled, "enabled pipeline"),
    counted(plugins.plugins.length, "plugin"),
    ...warnings > 0 ? [counted(warnings, "warning")] : [],
  ];
  return `${paint("ok", "green")}: ${file}: ${parts.join(", ")}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
