import { join } from "node:path";
import { ownProgram, runThrowaway } from "../cell/throwaway_process.ts";
import type { GoodInspection } from "../plugin/inspect.ts";
import type { Manifest } from "../plugin/manifest.ts";

/** Files in the folder that the child's one argument names. */
export const REQUEST_FILE = "request.json";
export const RESULT_FILE = "result.json";

/** What the child is to load. */
export interface ValidationRequest {
  library: string;
  manifest: Manifest;
  abiHash: string;
  /** Absolute paths of libraries to load before it. */
  preload: string[];
}

/** What came of it; without a file of this the child has died. */
export type ValidationResult =
  | { ok: true; components: { kind: string; name: string }[] }
  | { ok: false; code: string; message: string };

/** How loading a plugin went. */
export interface Validation {
  ok: boolean;
  /** Where it is not: LoadFailed, AbiMismatch, ManifestDiffers, Crashed or TimedOut. */
  problem: { code: string; message: string } | undefined;
  /** What the root table holds. */
  components: { kind: string; name: string }[];
  /** The end of what the library printed. */
  output: string;
}

/**
 * Loads an accepted plugin in a process of its own, which may crash, end or hang without harm, and compares its root table with its
 * manifest.
 */
export async function validatePlugin(
  { name, path, library, manifest, abiHash }: GoodInspection,
  options: { preload: readonly string[]; timeoutMs: number },
): Promise<Validation> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_validate_" });
  try {
    const preload = [...options.preload];
    const request: ValidationRequest = { library, manifest, abiHash, preload };
    await Deno.writeTextFile(join(folder, REQUEST_FILE), JSON.stringify(request));
    const { reason, output } = await runChild(folder, options.timeoutMs);
    const result = await readResult(folder);
    if (result?.ok) return { ok: true, problem: undefined, components: result.components, output };
    const code = reason?.code ?? "Crashed";
    const problem = result ?? {
      code,
      message: `Cannot load plugin "${name}" from "${path}": ${reason?.text ?? "no result"}`,
    };
    const { message } = problem;
    return { ok: false, problem: { code: problem.code, message }, components: [], output };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the child to its end; `reason` says why there is no result, where there is none. */
async function runChild(
  folder: string,
  timeoutMs: number,
): Promise<{ reason: { code: string; text: string }; output: string }> {
  const { command, args } = ownProgram();
  const { code, signal, late, output } = await runThrowaway({
    command,
    args: [...args, "__validate", folder],
    env: { LD_BIND_NOW: "1", NO_COLOR: "1" },
    timeoutMs,
  });
  const reason = late
    ? { code: "TimedOut", text: `loading it takes longer than ${timeoutMs / 1000} s` }
    : signal !== null
    ? { code: "Crashed", text: `its process was ended by ${signal}` }
    : { code: "Crashed", text: `its process ended with exit code ${code}` };
  return { reason, output };
}

async function readResult(folder: string): Promise<ValidationResult | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, RESULT_FILE)));
  } catch {
    return undefined;
  }
}
