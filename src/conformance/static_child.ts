import { join } from "node:path";
import { z } from "zod";
import { ownProgram, runThrowaway } from "../cell/throwaway_process.ts";
import { inspectPlugin } from "../plugin/inspect.ts";
import { FILE_CHECKS, type Finding, type StaticCheck } from "./file_checks.ts";
import { NO_FIXTURE, readFixtures } from "./fixtures.ts";
import { SCHEMA_CHECKS } from "./schema_checks.ts";

/** The argument that makes this program the child. */
export const STATIC_CHILD = "__conformance";

const REQUEST_FILE = "request.json";
const RESULT_FILE = "result.json";

const findingSchema = z.object({
  verdict: z.enum(["passed", "failed", "not applicable"]),
  seen: z.string(),
});

/** A check that runs none of the plugin's code, and what it is to look at. */
export interface StaticRequest {
  /** A plugin's library or folder. */
  plugin: string;
  check: string;
  /** The component's name; absent for checks of the file. */
  component?: string;
  /** The file of fixtures that was named, if one was. */
  fixtures?: string;
}

/** All checks that run none of the plugin's code. */
export const STATIC_CHECKS: readonly StaticCheck[] = [...FILE_CHECKS, ...SCHEMA_CHECKS];

/** Runs one check in a process of its own: a file that is made to break its reader breaks nothing else. */
export async function runStatic(
  request: StaticRequest,
  options: { folder: string; timeoutMs: number },
): Promise<Finding> {
  const { folder, timeoutMs } = options;
  await Deno.writeTextFile(join(folder, REQUEST_FILE), JSON.stringify(request));
  const { command, args } = ownProgram();
  const { code, signal, late, output } = await runThrowaway({
    command,
    args: [...args, STATIC_CHILD, folder],
    env: { NO_COLOR: "1" },
    timeoutMs,
  });
  const text = await Deno.readTextFile(join(folder, RESULT_FILE)).catch(() => undefined);
  if (text !== undefined) return findingSchema.parse(JSON.parse(text));
  const reason = late
    ? `Looking at the file takes longer than ${timeoutMs / 1000} s`
    : `Looking at the file ended with ${signal ?? `exit code ${code}`}`;
  return { verdict: "failed", seen: `${reason}\n${output}`.trim() };
}

/** The child of {@linkcode runStatic}. */
export async function runStaticChild([folder]: string[]): Promise<void> {
  if (folder === undefined) throw new Error("Cannot check: no folder is named");
  const request: StaticRequest = JSON.parse(await Deno.readTextFile(join(folder, REQUEST_FILE)));
  const finding = await staticFinding(request);
  await Deno.writeTextFile(join(folder, RESULT_FILE), JSON.stringify(finding));
}

/** Runs one check in this process. */
export async function staticFinding(request: StaticRequest): Promise<Finding> {
  const inspection = await inspectPlugin(request.plugin);
  const check = STATIC_CHECKS.find(({ name }) => name === request.check);
  const component = inspection.manifest?.components.find(({ name }) => name === request.component);
  if (check === undefined || (check.kinds !== undefined && component === undefined)) {
    throw new Error(`Cannot check "${request.check}" of "${request.component ?? "the file"}"`);
  }
  const fixtures = await readFixtures(inspection.library, request.fixtures);
  const fixture = fixtures?.components[component?.name ?? ""] ?? NO_FIXTURE;
  return await check.run({ inspection, component, fixture });
}
