import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

const OUTPUT_BYTES = 4096;
/** How long pipes may stay open that something else than the child holds. */
const DRAIN_MS = 500;
const KEPT_VARIABLES = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"];

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
  const [command, args] = ownProgram();
  const child = new Deno.Command(command, {
    args: [...args, "__validate", folder],
    clearEnv: true,
    env: childEnvironment(),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // What the library starts is ended with it.
    detached: true,
  }).spawn();
  const output = new OutputTail([child.stdout, child.stderr]);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child.pid);
  }, timeoutMs);
  const { code, signal } = await child.status;
  clearTimeout(timer);
  killGroup(child.pid);
  await output.end();
  const reason = late
    ? { code: "TimedOut", text: `loading it takes longer than ${timeoutMs / 1000} s` }
    : signal !== null
    ? { code: "Crashed", text: `its process was ended by ${signal}` }
    : { code: "Crashed", text: `its process ended with exit code ${code}` };
  return { reason, output: output.text };
}

/** Command and first arguments of this same program. */
function ownProgram(): [string, string[]] {
  if (Deno.build.standalone) return [Deno.execPath(), []];
  const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
  return [Deno.execPath(), ["run", "-A", "--quiet", main]];
}

function childEnvironment(): Record<string, string> {
  const environment: Record<string, string> = { LD_BIND_NOW: "1", NO_COLOR: "1" };
  for (const name of KEPT_VARIABLES) {
    const value = Deno.env.get(name);
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function readResult(folder: string): Promise<ValidationResult | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, RESULT_FILE)));
  } catch {
    return undefined;
  }
}

/** Keeps the end of what is read from streams. */
class OutputTail {
  text = "";
  readonly #readers: ReadableStreamDefaultReader<Uint8Array>[];
  readonly #reading: Promise<unknown>;

  constructor(streams: ReadableStream<Uint8Array>[]) {
    this.#readers = streams.map((stream) => stream.getReader());
    this.#reading = Promise.all(this.#readers.map((reader) => this.#read(reader)));
  }

  async end(): Promise<void> {
    const cancel = () => this.#readers.forEach((reader) => reader.cancel());
    const timer = setTimeout(cancel, DRAIN_MS);
    await this.#reading;
    clearTimeout(timer);
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      this.text = (this.text + decoder.decode(part.value, { stream: true })).slice(-OUTPUT_BYTES);
    }
  }
}
