import { fileURLToPath } from "node:url";

/** What {@linkcode runThrowaway} starts. */
export interface ThrowawayOptions {
  command: string;
  args: readonly string[];
  /** The whole environment besides the few variables that every program needs. */
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** The working folder. @default this process's own */
  cwd?: string;
  /** How much of what it prints is kept. @default 4096 */
  outputBytes?: number;
}

/** How it ended. */
export interface ThrowawayResult {
  code: number;
  signal: string | null;
  /** Whether it was killed since it took too long. */
  late: boolean;
  /** The end of what it printed. */
  output: string;
}

const OUTPUT_BYTES = 4096;
/** How long pipes may stay open that something else than the child holds. */
const DRAIN_MS = 500;
const KEPT_VARIABLES = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"];

/**
 * Runs a program that may crash, hang or leave processes behind, to its end or for as long as it may; then its whole process group
 * is killed.
 */
export async function runThrowaway(options: ThrowawayOptions): Promise<ThrowawayResult> {
  const { command, args, env, timeoutMs, cwd, outputBytes = OUTPUT_BYTES } = options;
  const child = new Deno.Command(command, {
    args: [...args],
    ...(cwd !== undefined && { cwd }),
    clearEnv: true,
    env: { ...keptEnvironment(), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // What the child starts is ended with it.
    detached: true,
  }).spawn();
  const output = new OutputTail([child.stdout, child.stderr], outputBytes);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child.pid);
  }, timeoutMs);
  const { code, signal } = await child.status;
  clearTimeout(timer);
  killGroup(child.pid);
  await output.end();
  return { code, signal, late, output: output.text };
}

/** Command and first arguments of this same program. */
export function ownProgram(): { command: string; args: string[] } {
  if (Deno.build.standalone) return { command: Deno.execPath(), args: [] };
  const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
  return { command: Deno.execPath(), args: ["run", "-A", "--quiet", main] };
}

function keptEnvironment(): Record<string, string> {
  const values = KEPT_VARIABLES.map((name) => [name, Deno.env.get(name)] as const);
  return Object.fromEntries(
    values.filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Keeps the end of what is read from streams. */
class OutputTail {
  text = "";
  readonly #limit: number;
  readonly #readers: ReadableStreamDefaultReader<Uint8Array>[];
  readonly #reading: Promise<unknown>;

  constructor(streams: ReadableStream<Uint8Array>[], limit: number) {
    this.#limit = limit;
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
      this.text = (this.text + decoder.decode(part.value, { stream: true })).slice(-this.#limit);
    }
  }
}
