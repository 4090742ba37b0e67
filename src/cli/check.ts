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
    const { diagnostics } = error;
    printJson({ ok: false, diagnostics, pluginProblems: [], pipelines: [], services: [] });
    return ExitCode.USAGE;
  }
  const plan = await makePlan(loaded, options.pluginDir);
  const { diagnostics, plugins: { problems } } = plan;
  const ok = !hasErrors(diagnostics);
  if (options.json) {
    const listed = (units: Plan["pipelines"]) => units.map(({ id, enabled }) => ({ id, enabled }));
    const [pipelines, services] = parted(plan).map(listed);
    printJson({ ok, diagnostics, pluginProblems: problems, pipelines, services });
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

/** Pipelines, and the services and hooks that run as they do. */
function parted({ pipelines }: Plan): [Plan["pipelines"], Plan["pipelines"]] {
  const isService = ({ service }: Plan["pipelines"][number]) => service !== undefined;
  return [pipelines.filter((one) => !isService(one)), pipelines.filter(isService)];
}

function summary(file: string, plan: Plan): string {
  const { plugins, diagnostics } = plan;
  const [pipelines, services] = parted(plan)
    .map((units) => units.filter(({ enabled }) => enabled).length) as [number, number];
  const warnings = diagnostics.length + plugins.problems.length;
  const parts = [
    counted(pipelines, "enabled pipeline"),
    ...services > 0
      ? [services === 1 ? "1 enabled service or hook" : `${services} enabled services and hooks`]
      : [],
    counted(plugins.plugins.length, "plugin"),
    ...warnings > 0 ? [counted(warnings, "warning")] : [],
  ];
  return `${paint("ok", "green")}: ${file}: ${parts.join(", ")}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
