import { join } from "node:path";
import type { Inspection } from "../plugin/inspect.ts";
import { Driver } from "./driver.ts";
import { type DriverSettings, runDriverCheck } from "./driver_check.ts";
import { type Finding, notApplicable } from "./file_checks.ts";
import { type Job, type Selection, selectJobs } from "./jobs.ts";
import { Preparations } from "./preparations.ts";
import type { Check, Outcome, Report } from "./report.ts";
import { reproduction } from "./reproduction.ts";
import { SinkServer } from "./sink_server.ts";
import { runStatic, STATIC_CHECKS } from "./static_child.ts";

/** What of a plugin is tested, and how. */
export interface SuiteOptions extends Selection {
  seed: number;
  /** The file of fixtures, instead of the one that is found. */
  fixtures?: string;
  /** How many checks run at once. */
  jobs: number;
  /** For each check; by default the fixture's, or ten seconds. */
  timeoutMs?: number;
  /** Whether Valgrind is used where it is installed. */
  valgrind: boolean;
  /** Gets each outcome as soon as those before it are there as well. */
  onOutcome?: (outcome: Outcome) => void;
}

const STATIC_TIMEOUT_MS = 10_000;

/** All checks that this system can make, in the order in which they are reported. */
export async function listChecks(): Promise<Check[]> {
  return await withFolder(async (folder) => await checksOf(await openDriver(folder)));
}

/**
 * Runs the checks that apply to an inspected plugin, each in a process of its own, and reports every one.
 *
 * @throws {ConformanceError} when the fixtures or the driver cannot be used, or nothing is asked for that there is
 */
export async function testPlugin(plugin: Inspection, options: SuiteOptions): Promise<Report> {
  const { seed, onOutcome } = options;
  return await withFolder(async (folder) => {
    const driver = await openDriver(folder);
    const jobs = selectJobs(plugin, await checksOf(driver), options);
    const preparations = await Preparations.read(plugin, options);
    await using server = preparations.wantServer ? new SinkServer() : undefined;
    const settings = { ...options, driver, httpUrl: server?.url };
    const outcomes = await inOrder(jobs, {
      width: options.jobs,
      run: async (job, index) => {
        const own = join(folder, String(index));
        await Deno.mkdir(own);
        try {
          const started = performance.now();
          const finding = await findingOf(job, preparations, { ...settings, folder: own, plugin });
          return outcomeOf(job, finding, {
            plugin: plugin.path,
            duration: (performance.now() - started) / 1000,
            ...options,
          });
        } finally {
          await Deno.remove(own, { recursive: true });
        }
      },
      ...(onOutcome && { onOutcome }),
    });
    const { name, path, digest, binary, manifest } = plugin;
    return {
      plugin: { name, version: manifest?.version, path, digest, target: binary.target },
      seed,
      outcomes,
    };
  });
}

/** The driver, which only Linux has. */
async function openDriver(folder: string): Promise<Driver | undefined> {
  return Deno.build.os === "linux" ? await Driver.open(folder) : undefined;
}

async function checksOf(driver: Driver | undefined): Promise<Check[]> {
  return [
    ...STATIC_CHECKS.map(({ run: _, ...check }) => check),
    ...(driver ? await driver.list() : []),
  ];
}

type FindingOptions =
  & Omit<DriverSettings, "driver" | "timeoutMs">
  & Pick<SuiteOptions, "fixtures" | "timeoutMs">
  & { driver: Driver | undefined; folder: string; plugin: Inspection };

/** Runs one check in a process of its own. */
async function findingOf(
  { check, component }: Job,
  preparations: Preparations,
  options: FindingOptions,
): Promise<Finding> {
  const { driver, fixtures, timeoutMs, folder, plugin } = options;
  const isStatic = STATIC_CHECKS.some(({ name }) => name === check.name);
  if (isStatic || component === undefined || driver === undefined) {
    return await runStatic({
      plugin: plugin.path,
      check: check.name,
      ...(component && { component: component.name }),
      ...(fixtures !== undefined && { fixtures }),
    }, { folder, timeoutMs: timeoutMs ?? STATIC_TIMEOUT_MS });
  }
  const prepared = await preparations.of(component);
  if (typeof prepared === "string") return notApplicable(prepared);
  const { seed, valgrind, httpUrl } = options;
  const settings = { driver, seed, timeoutMs, valgrind, httpUrl };
  return await runDriverCheck(check, { ...prepared, ...settings, folder });
}

function outcomeOf(
  { check, component }: Job,
  { verdict, seen }: Finding,
  options: { plugin: string; duration: number; seed: number; fixtures?: string },
): Outcome {
  const { plugin, duration, seed } = options;
  return {
    check: check.name,
    component: component && { kind: component.kind, name: component.name },
    proves: check.proves,
    severity: check.severity,
    verdict,
    seen,
    seed,
    duration,
    reproduce: reproduction(plugin, check, { ...options, component: component?.name }),
  };
}

/** Runs all jobs, some at once, and tells of each outcome in the order of the jobs. */
async function inOrder(
  jobs: readonly Job[],
  { width, run, onOutcome }: {
    width: number;
    run: (job: Job, index: number) => Promise<Outcome>;
    onOutcome?: (outcome: Outcome) => void;
  },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = Array(jobs.length);
  let told = 0;
  const queue = jobs.entries();
  await Promise.all(Array.from({ length: Math.min(width, jobs.length) }, async () => {
    for (const [index, job] of queue) {
      outcomes[index] = await run(job, index);
      for (let next = outcomes[told]; next !== undefined; next = outcomes[++told]) {
        onOutcome?.(next);
      }
    }
  }));
  return outcomes;
}

async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_conformance_" });
  try {
    return await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
