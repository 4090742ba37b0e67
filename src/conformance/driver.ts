import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { runThrowaway } from "../cell/throwaway_process.ts";
import { COMPONENT_KINDS } from "../plugin/manifest.ts";
import { ConformanceError } from "./fixtures.ts";
import type { Check } from "./report.ts";

/** Where `scripts/build` puts the driver; embedded in the compiled binary under the same relative path. */
const PROGRAM = new URL("../../dist/conformance/busbar_conformance", import.meta.url);
const LIST_TIMEOUT_MS = 10_000;
/** What a driver needs besides the time of its checks. */
const MARGIN_MS = 5_000;

const listSchema = z.array(z.object({
  name: z.string(),
  kinds: z.array(z.enum(COMPONENT_KINDS)),
  severity: z.enum(["error", "warning"]),
  proves: z.string(),
  /** What a check cannot do without, such as "replayable" or "configs.huge". */
  needs: z.array(z.string()),
}));

const SORTS = ["default", "invalid", "huge", "random"] as const;

const lineSchema = z.object({
  check: z.string(),
  status: z.enum(["pass", "fail", "not_applicable"]),
  message: z.string(),
  ms: z.number(),
  notes: z.array(z.string()).default([]),
  log: z.array(z.string()).default([]),
});

const benchSchema = z.object({
  status: z.enum(["pass", "fail"]),
  message: z.string(),
  events: z.number(),
  bytes: z.number(),
  calls: z.number(),
  seconds: z.number(),
  ns_per_event: z.number(),
  events_per_second: z.number(),
  bytes_per_second: z.number(),
  call_ns: z.object({
    p50: z.number(),
    p90: z.number(),
    p99: z.number(),
    p999: z.number(),
    max: z.number(),
  }),
  baseline: z.object({ ns_per_event: z.number(), events_per_second: z.number() }),
});

/** How one check of the driver went. */
export type DriverResult = z.output<typeof lineSchema>;
/** What the driver measured. */
export type BenchResult = z.output<typeof benchSchema>;

/** How the driver is started. */
export interface DriverRun {
  plan: Record<string, unknown>;
  /** An empty folder that the driver may fill; the caller removes it. */
  folder: string;
  /** How long all of it may take, without what starting takes. */
  timeoutMs: number;
  /** More environment, such as LD_PRELOAD. */
  env?: Readonly<Record<string, string>>;
  /** A program that runs the driver, with its first arguments. */
  wrapper?: readonly string[];
}

/** The native program that runs a plugin's code, where memory, threads and descriptors can be counted. */
export class Driver {
  readonly #program: string;

  private constructor(program: string) {
    this.#program = program;
  }

  /**
   * Makes the driver ready to run; in the compiled binary, which holds it, as a file in `folder`.
   *
   * @throws {ConformanceError} when there is no driver
   */
  static async open(folder: string): Promise<Driver> {
    try {
      if (!Deno.build.standalone) {
        await Deno.stat(PROGRAM);
        return new Driver(fileURLToPath(PROGRAM));
      }
      const program = join(folder, "busbar_conformance");
      await Deno.writeFile(program, await Deno.readFile(PROGRAM), { mode: 0o755 });
      return new Driver(program);
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new ConformanceError(
        `Cannot test plugins: the driver "${PROGRAM.pathname}" cannot be used: ${reason}; build busbar with scripts/build`,
        { cause },
      );
    }
  }

  /** The checks that it can run. */
  async list(): Promise<Check[]> {
    const { code, output } = await runThrowaway({
      command: this.#program,
      args: ["--list"],
      env: {},
      timeoutMs: LIST_TIMEOUT_MS,
      outputBytes: 1 << 20,
    });
    if (code !== 0) throw new ConformanceError(`Cannot list the driver's checks: ${output.trim()}`);
    return listSchema.parse(JSON.parse(output)).map(({ needs, ...check }) => ({
      ...check,
      tries: SORTS.filter((sort) => needs.includes(`configs.${sort}`)),
    }));
  }

  /** Runs the checks of a plan. A driver that ends badly gives a failed result for those it did not come to. */
  async run(run: DriverRun): Promise<DriverResult[]> {
    const checks = run.plan.checks as string[];
    const { text, reason, output } = await this.#start("run", run);
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    return checks.map((check, index) => {
      const line = lines[index];
      if (line !== undefined) return lineSchema.parse(JSON.parse(line));
      const message = [reason ?? "The driver wrote no result", output].filter(Boolean).join("\n");
      return { check, status: "fail", message, ms: 0, notes: [], log: [] };
    });
  }

  /** Measures a component as the plan's `bench` says. @throws {ConformanceError} when it cannot */
  async bench(run: DriverRun): Promise<BenchResult> {
    const { text, reason, output } = await this.#start("bench", run);
    if (reason !== undefined || text.trim() === "") {
      throw new ConformanceError(
        `Cannot measure: ${[reason ?? "no result", output].filter(Boolean).join("\n")}`,
      );
    }
    const { status, message } = z.looseObject({ status: z.string(), message: z.string() })
      .parse(JSON.parse(text));
    if (status !== "pass") throw new ConformanceError(`Cannot measure: ${message}`);
    return benchSchema.parse(JSON.parse(text));
  }

  async #start(
    mode: "run" | "bench",
    { plan, folder, timeoutMs, env = {}, wrapper = [] }: DriverRun,
  ): Promise<{ text: string; reason: string | undefined; output: string }> {
    const [planFile, resultFile, work] = ["plan.json", "result.json", "work"]
      .map((name) => join(folder, name)) as [string, string, string];
    await Deno.mkdir(work);
    await Deno.writeTextFile(planFile, JSON.stringify({ ...plan, work }));
    const [command, ...args] = [...wrapper, this.#program, mode, planFile, resultFile];
    const { code, signal, late, output } = await runThrowaway({
      command: command!,
      args,
      // A folder of its own, so that what a plugin does to relative paths goes nowhere else.
      cwd: work,
      env: {
        LD_BIND_NOW: "1",
        NO_COLOR: "1",
        ...env,
      },
      timeoutMs: timeoutMs + MARGIN_MS,
    });
    const text = await Deno.readTextFile(resultFile).catch(() => "");
    const reason = late
      ? `The driver was killed after ${(timeoutMs + MARGIN_MS) / 1000} s`
      : signal !== null
      ? `The driver was ended by ${signal}`
      : code !== 0
      ? `The driver ended with exit code ${code}`
      : undefined;
    return { text, reason, output: output.trim() };
  }
}
