import { formatDiagnostic } from "../config/diagnostic.ts";
import type { Outcome } from "../config_test/model.ts";
import {
  outcomeLines,
  reportAsJson,
  reportAsJunit,
  reportAsText,
  summaryLine,
} from "../config_test/report.ts";
import { loadSuite, runSuite, type Suite } from "../config_test/suite.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { hasColour, paint } from "./output.ts";
import type { GlobalOptions } from "./program.ts";

export interface ConfigTestOptions extends GlobalOptions {
  filter?: string;
  format: "text" | "json" | "junit";
  output?: string;
  jobs?: number;
  /** In seconds. */
  timeout: number;
  pluginDir: string[];
  set: string[];
}

/** `busbar test`: code 1 when a test fails, 2 when a file or its configuration cannot be used. */
export async function testConfigs(files: string[], options: ConfigTestOptions): Promise<ExitCode> {
  const { filter = "", output, timeout, jobs = navigator.hardwareConcurrency } = options;
  const format = options.json ? "json" : options.format;
  const suites: Suite[] = [];
  for (const file of new Set(files)) {
    suites.push(await loadSuite(file, { pluginDirs: options.pluginDir, sets: options.set }));
  }
  const wanted = suites.map((suite) => ({
    suite,
    cases: suite.cases.filter((plan) => plan.case.name.includes(filter)),
  })).filter(({ cases }) => cases.length > 0);
  if (wanted.length === 0) {
    const which = filter === "" ? "there are none" : `none has "${filter}" in its name`;
    throw new CommandError(ExitCode.USAGE, `Cannot run tests: ${which}`);
  }
  const told = format === "text" || output !== undefined;
  const outcomes: Outcome[] = [];
  for (const { suite, cases } of wanted) {
    if (told) printHead(suite);
    outcomes.push(
      ...await runSuite(suite, cases, {
        jobs,
        timeoutMs: timeout * 1000,
        onOutcome: (outcome) => {
          if (told) { for (const line of outcomeLines(outcome, paint)) console.log(line); }
        },
      }),
    );
    if (told) console.log();
  }
  if (told) console.log(summaryLine(outcomes));
  await deliver(outcomes, format, output);
  return outcomes.every(({ passed }) => passed) ? ExitCode.OK : ExitCode.FAILURE;
}

function printHead({ file, plan }: Suite): void {
  const colour = hasColour(Deno.stderr);
  for (const { message } of plan.plugins.problems) console.error(`busbar: ${message}`);
  // What a configuration is warned about is for `check`; of its plugins nothing would be said otherwise.
  for (const found of plan.diagnostics.filter(({ path }) => path.startsWith("plugins"))) {
    console.error(formatDiagnostic(found, { colour }));
  }
  console.log(paint(file, "bold"));
}

async function deliver(
  outcomes: readonly Outcome[],
  format: ConfigTestOptions["format"],
  file: string | undefined,
): Promise<void> {
  if (format === "text" && file === undefined) return; // it was told while the tests ran
  const text = { text: reportAsText, json: reportAsJson, junit: reportAsJunit }[format](outcomes);
  if (file === undefined) return console.log(text.trimEnd());
  try {
    await Deno.writeTextFile(file, text);
  } catch (error) {
    const { message } = error as Error;
    throw new CommandError(
      ExitCode.FAILURE,
      `Cannot write the report to "${file}": ${message}`,
    );
  }
}
