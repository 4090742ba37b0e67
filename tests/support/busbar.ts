import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = join(PROJECT, "dist/busbar");
/** Many times what anything here takes: reached only where something hangs. */
const DEADLINE_MS = 60_000;
const POLL_MS = 20;

/** How to start busbar. */
export interface BusbarOptions {
  /** `busbar.yaml`: an object, laid over a data folder of its own and port 0, or text that is used as it is. */
  config?: Record<string, unknown> | string;
  /** Behind `run -c FILE`. */
  args?: string[];
  env?: Record<string, string>;
  /** The program to start instead of the one under test, such as a copy of it. */
  binary?: string;
}

/** What a command of busbar printed and how it ended. */
export interface BusbarOutput {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** A log record as JSON gives it. */
export type LogRecord = Record<string, unknown> & { level: string; message: string };

/** Program and first arguments: the compiled binary, else the sources where it was not built. */
export function busbarProgram(): { command: string; args: string[] } {
  try {
    if (Deno.statSync(BINARY).isFile) return { command: BINARY, args: [] };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return { command: Deno.execPath(), args: ["run", "-A", "--quiet", join(PROJECT, "main.ts")] };
}

/** A busbar command with piped output, in an environment that does not change its settings. */
export function busbarCommand(
  args: string[],
  options: Pick<BusbarOptions, "env" | "binary"> & { cwd?: string; signal?: AbortSignal } = {},
): Deno.Command {
  const { env = {}, binary, cwd, signal } = options;
  const program = binary === undefined ? busbarProgram() : { command: binary, args: [] };
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("BUSBAR_"));
  return new Deno.Command(program.command, {
    args: [...program.args, ...args],
    clearEnv: true,
    env: { NO_COLOR: "1", ...Object.fromEntries(kept), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(cwd === undefined ? {} : { cwd }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Runs a busbar command to its end. It is killed, and the caller fails, when it hangs. */
export async function runBusbar(
  args: string[],
  options: Pick<BusbarOptions, "env" | "binary"> & { cwd?: string } = {},
): Promise<BusbarOutput> {
  const process = busbarCommand(args, options).spawn();
  let hangs = false;
  const timer = setTimeout(() => {
    hangs = true;
    process.kill("SIGKILL");
  }, DEADLINE_MS);
  const { code, signal, stdout, stderr } = await process.output();
  clearTimeout(timer);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const output = { code, signal, stdout: text(stdout), stderr: text(stderr) };
  assert.ok(!hangs, `busbar ${args.join(" ")} does not end:\n${output.stderr}${output.stdout}`);
  return output;
}

/** A busbar that runs. */
export class Busbar {
  /** The private folder of this run: `busbar.yaml` and, unless the config says otherwise, `data/`. */
  readonly folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #exit: BusbarOutput | undefined;
  #ended = false;
  /** What it printed so far. */
  stdout = "";
  stderr = "";

  constructor(folder: string, process: Deno.ChildProcess) {
    this.folder = folder;
    this.#process = process;
    process.status.then(() => this.#ended = true);
    this.#reading = Promise.all([
      read(process.stdout, (text) => this.stdout += text),
      read(process.stderr, (text) => this.stderr += text),
    ]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether the process is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  /** `http://127.0.0.1:PORT`, once it listens. */
  get address(): string | undefined {
    return /^busbar listening on (\S+)$/m.exec(this.stderr)?.[1];
  }

  /** The whole log records so far; other lines are left out. */
  get logs(): LogRecord[] {
    const lines = this.stderr.split("\n").slice(0, -1);
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** The first log record, past or to come, that `matches`. */
  async log(matches: (record: LogRecord) => boolean): Promise<LogRecord> {
    return await waitFor(() => this.logs.find(matches), { what: "a log record", busbar: this });
  }

  /** Body of `GET path`, which must answer 200. */
  // deno-lint-ignore no-explicit-any
  async get(path: string): Promise<any> {
    const { status, body } = await this.fetch(path);
    assert.equal(status, 200, `GET ${path}: ${JSON.stringify(body)}`);
    return body;
  }

  /** `GET path`, whatever it answers. */
  // deno-lint-ignore no-explicit-any
  async fetch(path: string, init: RequestInit = {}): Promise<{ status: number; body: any }> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const response = await fetch(`${this.address}${path}`, { signal, ...init });
    return { status: response.status, body: await response.json() };
  }

  /** Pipeline `id` as the API shows it, once it `matches`. */
  async pipeline(
    id: string,
    // deno-lint-ignore no-explicit-any
    matches: (pipeline: any) => boolean,
    // deno-lint-ignore no-explicit-any
  ): Promise<any> {
    return await waitFor(async () => {
      const pipeline = await this.get(`/api/v1/pipelines/${id}`);
      return matches(pipeline) ? pipeline : undefined;
    }, { what: `pipeline "${id}"`, busbar: this });
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** How it ended, once it has; at most after a deadline. */
  async exited(): Promise<BusbarOutput> {
    if (this.#exit !== undefined) return this.#exit;
    const { code, signal } = await within(this.#process.status, "busbar does not end");
    // A process that a plugin left behind may keep the pipes open.
    await within(this.#reading, "its output does not end").catch(() => {});
    return this.#exit = { code, signal, stdout: this.stdout, stderr: this.stderr };
  }

  /** Stops it as an operator would. */
  async stop(): Promise<BusbarOutput> {
    if (this.#exit === undefined) this.#tryKill("SIGTERM");
    return await this.exited();
  }

  /** Ends it in any case. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop();
    } catch {
      this.#tryKill("SIGKILL");
      await this.#process.status;
    }
  }

  #tryKill(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended by itself
    }
  }
}

/**
 * Runs busbar with the configuration, calls `action` once it says where it listens (or, without server, that it is ready), and
 * stops it. What it printed is shown only when something fails.
 */
export async function withBusbar<T>(
  options: BusbarOptions,
  action: (busbar: Busbar) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_test_" });
  try {
    const file = await writeConfig(folder, options.config ?? {});
    const args = ["run", "-c", file, ...options.args ?? []];
    await using busbar = new Busbar(folder, busbarCommand(args, options).spawn());
    try {
      const started = /^busbar listening on |"message":"busbar ready"/m;
      await waitFor(() => started.test(busbar.stderr), { what: "its start", busbar });
      return await action(busbar);
    } catch (error) {
      console.error(`busbar printed:\n${busbar.stderr}${busbar.stdout}`);
      throw error;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes `busbar.yaml` into the folder and gives its path. */
export async function writeConfig(
  folder: string,
  config: Record<string, unknown> | string,
): Promise<string> {
  const file = join(folder, "busbar.yaml");
  const { server, ...rest } = typeof config === "string" ? {} : config;
  const text = typeof config === "string" ? config : stringify({
    data_dir: join(folder, "data"),
    server: { port: 0, ...server as Record<string, unknown> | undefined },
    ...rest,
  });
  await Deno.writeTextFile(file, text);
  return file;
}

/** What `condition` gives once it is neither false nor undefined. Fails after a long time, or when `busbar` has ended before. */
export async function waitFor<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  options: { what?: string; busbar?: Busbar; timeout?: number } = {},
): Promise<T> {
  const { what = "a condition", busbar, timeout = DEADLINE_MS } = options;
  for (const started = performance.now(); performance.now() - started < timeout;) {
    const last = busbar?.ended ?? false;
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    assert.ok(!last, `busbar ended while a test waited for ${what}`);
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
  assert.fail(`Waited ${timeout} ms in vain for ${what}`);
}

async function read(
  stream: ReadableStream<Uint8Array>,
  take: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }));
}

async function within<T>(work: Promise<T>, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what} in ${DEADLINE_MS} ms`)), DEADLINE_MS);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
