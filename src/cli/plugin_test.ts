import { ConformanceError } from "../conformance/fixtures.ts";
import {
  type Check,
  isConformant,
  type Outcome,
  type Report,
  reportAsJson,
} from "../conformance/report.ts";
import { reportAsJunit } from "../conformance/report_junit.ts";
import {
  headLine,
  markOf,
  outcomeLines,
  reportAsText,
  summaryLine,
  titleOf,
} from "../conformance/report_text.ts";
import { listChecks, testPlugin } from "../conformance/suite.ts";
import { inspectPlugin } from "../plugin/inspect.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { paint, printJson } from "./output.ts";
import type { GlobalOptions } from "./program.ts";

export interface TestOptions extends GlobalOptions {
  component?: string;
  check: string[];
  list?: boolean;
  seed: number;
  fixtures?: string;
  jobs?: number;
  /** In seconds. */
  timeout?: number;
  format: "text" | "json" | "junit";
  output?: string;
  valgrind: boolean;
}

/** `busbar plugin test`: code 1 when a check failed whose severity is error. */
export async function test(file: string | undefined, options: TestOptions): Promise<ExitCode> {
  const format = options.json ? "json" : options.format;
  try {
    if (options.list) {
      printChecks(await listChecks(), format === "json");
      return ExitCode.OK;
    }
    if (file === undefined) {
      throw new CommandError(ExitCode.USAGE, "Cannot test: name a plugin's library or folder");
    }
    const report = await run(file, options, format === "text" || options.output !== undefined);
    await deliver(report, format, options.output);
    return isConformant(report) ? ExitCode.OK : ExitCode.FAILURE;
  } catch (error) {
    if (error instanceof ConformanceError) throw new CommandError(ExitCode.USAGE, error.message);
    throw error;
  }
}

/** Runs the checks, and tells of each as it ends when it is to be `told`. */
async function run(file: string, options: TestOptions, told: boolean): Promise<Report> {
  const { component, fixtures, timeout, seed, valgrind } = options;
  const plugin = await inspectPlugin(file);
  const { name, manifest } = plugin;
  if (told) console.log(paint(headLine({ name, version: manifest?.version }, seed), "bold"));
  let part: string | undefined;
  const report = await testPlugin(plugin, {
    seed,
    valgrind,
    patterns: options.check,
    jobs: options.jobs ?? navigator.hardwareConcurrency,
    ...(component !== undefined && { component }),
    ...(fixtures !== undefined && { fixtures }),
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
    onOutcome: (outcome) => {
      if (!told) return;
      const title = titleOf(outcome);
      if (title !== part) console.log(`\n${title}`);
      part = title;
      printOutcome(outcome);
    },
  });
  if (told) console.log(`\n${summaryLine(report)}`);
  return report;
}

async function deliver(
  report: Report,
  format: TestOptions["format"],
  file: string | undefined,
): Promise<void> {
  if (format === "text" && file === undefined) return; // it was told while the checks ran
  const text = {
    text: reportAsText,
    junit: reportAsJunit,
    json: (report: Report) => JSON.stringify(reportAsJson(report), null, 2) + "\n",
  }[format](report);
  if (file === undefined) console.log(text.trimEnd());
  else await write(file, text);
}

async function write(file: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(file, text);
  } catch (error) {
    throw new CommandError(
      ExitCode.FAILURE,
      `Cannot write the report to "${file}": ${(error as Error).message}`,
    );
  }
}

const TONES: Readonly<Record<string, "green" | "yellow" | "red">> = {
  ok: "green",
  WARN: "yellow",
  FAILED: "red",
};

function printOutcome(outcome: Outcome): void {
  const [head, ...rest] = outcomeLines(outcome);
  const mark = markOf(outcome);
  const tone = TONES[mark];
  console.log(tone === undefined ? head : head!.replace(mark, paint(mark, tone)));
  for (const line of rest) console.log(line);
}

function printChecks(checks: readonly Check[], json: boolean): void {
  if (json) {
    printJson(
      checks.map(({ name, proves, severity, kinds }) => ({
        name,
        proves,
        severity,
        kinds: kinds ?? null,
      })),
    );
    return;
  }
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, kinds, severity, proves } of checks) {
    const about = kinds === undefined ? "file" : kinds.join(", ");
    console.log(`${paint(name.padEnd(width), "bold")}  ${proves} (${severity}; ${about})`);
  }
}
