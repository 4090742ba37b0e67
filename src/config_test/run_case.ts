import { dirname, join } from "node:path";
import { createRecorder, planRecorder, type RecorderPlan } from "../../ffi/flight_recorder.ts";
import type { MemoryFile } from "../../ffi/memory_file.ts";
import { blame } from "../cell/blame.ts";
import { type ComponentPlace, componentPlaces } from "../cell/cell_plan.ts";
import { LogRing, type PluginLog } from "../cell/log_ring.ts";
import type { CellPlugin } from "../cell/protocol.ts";
import { RecorderReader } from "../cell/recorder_reader.ts";
import { ownProgram, runThrowaway, type ThrowawayResult } from "../cell/throwaway_process.ts";
import { LOG_LEVELS } from "../component/cell_log.ts";
import type { GoodInspection } from "../plugin/inspect.ts";
import { type CasePlan, requestFor } from "./case_plan.ts";
import { REQUEST_FILE, RESULT_FILE, type TestRequest, type TestResult } from "./request.ts";

/** The number of the level, as plugins log it. */
const WARNING = LOG_LEVELS.warning;

/** What came of a case. */
export interface CaseRun extends Pick<TestResult, "steps" | "notes" | "seconds"> {
  /** Why it did not get to its end. */
  problem?: string;
}

export interface CaseOptions {
  plugins: readonly GoodInspection[];
  preload: string[];
  timeoutMs: number;
}

/** Whether a case runs code that may take its process down. */
export function hasNativeCode({ pipeline: { components } }: CasePlan): boolean {
  return components.some(({ kind, plugin }) => kind === "processor" && plugin !== "builtin");
}

/** Runs a case in a process of its own, which may crash, end or hang without harm. */
export async function runCase(plan: CasePlan, options: CaseOptions): Promise<CaseRun> {
  const started = performance.now();
  return await withCases([plan], options, async ([made], run) => {
    const { recorder, parts, plugins, request } = made!;
    const { code, signal, late, output } = await run();
    const seconds = (performance.now() - started) / 1000;
    const result = await resultOf(made!);
    const places = componentPlaces([request.pipeline]);
    const logged = new LogRing(recorder.buffer, parts).drainDead();
    const notes = [
      ...result?.notes ?? [],
      ...logged.filter(({ level }) => level >= WARNING).map((record) =>
        `${levelOf(record)}${whereOf(record, places)}: ${record.message}`
      ),
      ...printed(output),
    ];
    const steps = result?.steps ?? [];
    if (result !== undefined && result.failure === undefined) return { steps, notes, seconds };
    const { message } = blame({
      status: { code, signal },
      at: new Date(),
      reader: new RecorderReader(recorder.buffer, parts),
      places,
      plugins,
      failure: result?.failure,
      killed: late
        ? {
          reason: "hang",
          message: `the test did not end within ${options.timeoutMs / 1000} s`,
        }
        : undefined,
    });
    return { steps, notes, seconds, problem: message.replace(/^cell\b/, "the test's process") };
  });
}

/**
 * Runs cases without native code one after the other in one process, which starts only once. Gives nothing for those that it did not
 * get to the end of: they are to be run alone.
 */
export async function runTogether(
  plans: readonly CasePlan[],
  options: CaseOptions,
): Promise<(CaseRun | undefined)[]> {
  return await withCases(plans, options, async (cases, run) => {
    await run();
    const results = await Promise.all(cases.map(resultOf));
    return results.map((result) => result?.failure === undefined ? result : undefined);
  });
}

/** The files of a case, and the memory that tells what its process was doing. */
interface MadeCase {
  folder: string;
  recorder: MemoryFile;
  parts: RecorderPlan;
  plugins: CellPlugin[];
  request: TestRequest;
}

async function withCases<T>(
  plans: readonly CasePlan[],
  options: CaseOptions,
  body: (cases: readonly MadeCase[], run: () => Promise<ThrowawayResult>) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_cases_" });
  const cases: MadeCase[] = [];
  try {
    for (const [index, plan] of plans.entries()) {
      cases.push(await makeCase(plan, join(folder, `${index}`), options));
    }
    const names = plans.flatMap(({ pipeline }) => pipeline.environment);
    const { command, args } = ownProgram();
    return await body(cases, () =>
      runThrowaway({
        command,
        args: [...args, "__test", ...cases.map(({ folder }) => folder)],
        env: { ...environment(names), LD_BIND_NOW: "1", NO_COLOR: "1" },
        timeoutMs: options.timeoutMs,
      }));
  } finally {
    for (const { recorder } of cases) recorder.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function makeCase(plan: CasePlan, folder: string, options: CaseOptions): Promise<MadeCase> {
  const { components } = plan.pipeline;
  // Only processors run.
  const used = new Set(
    components.filter(({ kind }) => kind === "processor").map(({ plugin }) => plugin),
  );
  const plugins = options.plugins.filter(({ name }) => used.has(name)).map(asCellPlugin);
  await Deno.mkdir(folder);
  const sources = components.filter(({ kind }) => kind === "source").length;
  const parts = planRecorder(components.length, sources);
  const recorder = createRecorder(parts);
  const request = requestFor(plan, {
    folder,
    recorder: { path: recorder.path, size: recorder.buffer.byteLength },
    plugins: Object.fromEntries(plugins.map((plugin) => [plugin.manifest.name, plugin])),
    preload: plugins.length > 0 ? options.preload : [],
  });
  await Deno.writeTextFile(join(folder, REQUEST_FILE), JSON.stringify(request));
  return { folder, recorder, parts, plugins, request };
}

function asCellPlugin({ manifest, library, abiHash }: GoodInspection): CellPlugin {
  return { manifest, library, directory: dirname(library), abiHash };
}

function environment(names: readonly string[]): Record<string, string> {
  const values = names.map((name) => [name, Deno.env.get(name)] as const);
  return Object.fromEntries(
    values.filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function levelOf({ level }: PluginLog): string {
  return level > WARNING ? "error" : "warning";
}

function whereOf({ component }: PluginLog, places: readonly ComponentPlace[]): string {
  const place = component === undefined ? undefined : places[component];
  return place === undefined ? "" : ` (${place.component.id})`;
}

function printed(output: string): string[] {
  return output.split("\n").filter((line) => line.trim() !== "").map((line) => `printed: ${line}`);
}

async function resultOf({ folder }: MadeCase): Promise<TestResult | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, RESULT_FILE)));
  } catch {
    // It died before it had written that, or while it did.
    return undefined;
  }
}
