/** Reads test files with the configurations that they are about, and runs their cases. */
import { dirname, isAbsolute, join, relative } from "node:path";
import { ConfigError, type Diagnostic, hasErrors, sortDiagnostics } from "../config/diagnostic.ts";
import { readTextFile } from "../config/files.ts";
import { loadConfig } from "../config/load.ts";
import type { ConfigSource } from "../config/source.ts";
import { parseText } from "../config/yaml.ts";
import { catalogOf, makePlan, type Plan } from "../host/plan.ts";
import { type CasePlan, planCase } from "./case_plan.ts";
import { compareCase } from "./compare.ts";
import type { Outcome, TestCase } from "./model.ts";
import { readTests } from "./read_tests.ts";
import { type CaseRun, hasNativeCode, runCase, runTogether } from "./run_case.ts";
import { TreeReader } from "./tree_reader.ts";

const LARGEST_FILE = 16 * 1024 * 1024;
/** Cases that share a process, at most: when one of them ends it, the others start again. */
const MOST_TOGETHER = 25;
const FILE_KEYS = ["config", "pipeline", "tests"];

export interface LoadOptions {
  pluginDirs: readonly string[];
  sets: readonly string[];
}

/** A file whose cases can be run. */
export interface Suite {
  file: string;
  source: ConfigSource;
  cases: CasePlan[];
  plan: Plan;
}

/** Reads a test file, or the `tests` of a configuration. @throws {ConfigError} with all that is wrong with either */
export async function loadSuite(file: string, options: LoadOptions): Promise<Suite> {
  const text = readFile(file);
  const env = Deno.env.toObject();
  const { source, tree, diagnostics } = parseText(file, text, { env, folder: dirname(file) });
  if (hasErrors(diagnostics) && Object.keys(tree).length === 0) {
    throw new ConfigError(file, sortDiagnostics(diagnostics));
  }
  const reader = new TreeReader(source);
  // A configuration may hold its own tests.
  const own = "pipelines" in tree;
  if (!own) reader.group(tree, [], FILE_KEYS);
  const fallback = !own && "pipeline" in tree
    ? reader.text(tree["pipeline"], ["pipeline"])
    : undefined;
  const config = own ? file : configOf(reader, tree, file);
  const tests: TestCase[] = "tests" in tree
    ? readTests(reader, tree["tests"], ["tests"])
    : reader.fault([], `Missing "tests" in "${file}"`) ?? [];
  diagnostics.push(...reader.diagnostics);
  if (hasErrors(diagnostics)) throw new ConfigError(file, sortDiagnostics(diagnostics));
  const plan = await planFor(config!, options);
  const catalog = catalogOf(plan.plugins);
  const cases: CasePlan[] = [];
  const faults: Diagnostic[] = [];
  for (const test of tests) {
    const planned = planCase(test, { source, pipelines: plan.pipelines, catalog, fallback });
    if (Array.isArray(planned)) faults.push(...planned);
    else cases.push(planned);
  }
  if (faults.length > 0) throw new ConfigError(file, sortDiagnostics(faults));
  return { file, source, cases, plan };
}

export interface RunOptions {
  /** Cases at once. */
  jobs: number;
  timeoutMs: number;
  /** Told of each as it ends. */
  onOutcome(outcome: Outcome): void;
}

/** Runs cases, and gives what came of each, in their order. */
export async function runSuite(
  suite: Suite,
  cases: readonly CasePlan[],
  options: RunOptions,
): Promise<Outcome[]> {
  const { plan: { plugins: { plugins, rules } } } = suite;
  const { jobs, timeoutMs } = options;
  const how = { plugins, preload: rules.preload, timeoutMs };
  const outcomes: Outcome[] = [];
  let told = 0;
  const note = (index: number, run: CaseRun) => {
    outcomes[index] = outcomeOf(suite, cases[index]!, run);
    // In their order, whichever ends first.
    for (let next = outcomes[told]; next !== undefined; next = outcomes[told]) {
      told++;
      options.onOutcome(next);
    }
  };
  const queue = processesFor(cases, jobs).values();
  const work = async () => {
    for (const indexes of queue) {
      const plans = indexes.map((index) => cases[index]!);
      const runs = plans.length > 1 ? await runTogether(plans, how) : [];
      for (const [i, index] of indexes.entries()) {
        note(index, runs[i] ?? await runCase(cases[index]!, how));
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return outcomes;
}

/** Which cases share a process, by their places: those with native code have one of their own. */
function processesFor(cases: readonly CasePlan[], jobs: number): number[][] {
  const places = cases.map((_, index) => index);
  const together = places.filter((index) => !hasNativeCode(cases[index]!));
  const alone = places.filter((index) => hasNativeCode(cases[index]!));
  const size = Math.min(MOST_TOGETHER, Math.ceil(together.length / jobs));
  const groups: number[][] = [];
  for (let at = 0; at < together.length; at += size) groups.push(together.slice(at, at + size));
  return [...groups, ...alone.map((index) => [index])].sort(([a], [b]) => a! - b!);
}

function outcomeOf({ file, source }: Suite, plan: CasePlan, run: CaseRun): Outcome {
  const { name, path } = plan.case;
  const { steps, notes, seconds, problem } = run;
  const line = source.diagnostic(path, "").line ?? 1;
  const mismatches = problem === undefined
    ? compareCase(plan.case, steps, source)
    : [{ place: `${file}:${line}`, message: problem, details: [] }];
  return { file, name, line, passed: mismatches.length === 0, mismatches, notes, seconds };
}

function configOf(reader: TreeReader, tree: Record<string, unknown>, file: string) {
  if (!("config" in tree)) {
    return reader.fault([], `Missing "config" in "${file}": the configuration that is tested`);
  }
  const path = reader.text(tree["config"], ["config"]);
  if (path === undefined || isAbsolute(path)) return path;
  return relative(Deno.cwd(), join(dirname(file), path)) || ".";
}

async function planFor(path: string, { pluginDirs, sets }: LoadOptions): Promise<Plan> {
  const loaded = await loadConfig({ path, env: Deno.env.toObject(), sets });
  const plan = await makePlan(loaded, pluginDirs);
  if (hasErrors(plan.diagnostics)) throw new ConfigError(path, plan.diagnostics);
  return plan;
}

function readFile(file: string): string {
  try {
    return readTextFile(file, LARGEST_FILE).text;
  } catch (error) {
    const message = `Cannot read tests "${file}": ${(error as Error).message}`;
    throw new ConfigError(file, [{ severity: "error", file, path: "", message }]);
  }
}
