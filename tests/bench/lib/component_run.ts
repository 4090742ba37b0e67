import { BATCH, eventLines } from "./component_jobs.ts";

/** How long a run may take: many times what it needs. */
const DEADLINE_MS = 60_000;
const POLL_MS = 5;
/** Requests that are under way at once. */
const CONNECTIONS = 4;

/** The one event that is posted until it is accepted, before all others. */
const PROBE = new TextEncoder().encode(eventLines(0, 1));

/** A program with its arguments. */
export type Program = [command: string, ...args: string[]];

/** Runs a program to its end, with a file as its standard input, and gives the seconds it took. */
export async function timeToEnd(program: Program, input = "/dev/null"): Promise<number> {
  const started = performance.now();
  const process = start(program, input);
  const { success, code, stderr } = await ended(process);
  if (!success) throw failure(program, `exit code ${code}`, stderr);
  return (performance.now() - started) / 1000;
}

/** Runs a program until there are so many lines in its output, and gives the seconds that took. */
export async function timeToLines(
  program: Program,
  { output, lines }: { output: string; lines: number },
): Promise<number> {
  const started = performance.now();
  return await whileItRuns(program, async (over) => {
    const written = new LineCount(output);
    await until(async () => over() || await written.now() >= lines, "events are missing");
    return (performance.now() - started) / 1000;
  });
}

/** What is posted to a program that runs. */
export interface Posting {
  url: string;
  /** Events before the clock starts, and events that are timed; multiples of {@linkcode BATCH}. */
  warmUp: number;
  count: number;
  output: string;
}

/** Starts a program, posts lines of events to it, and gives the seconds from the first request until all are in the output. */
export async function timeOfRequests(program: Program, posting: Posting): Promise<number> {
  const { url, warmUp, count, output } = posting;
  return await whileItRuns(program, async (over) => {
    const written = new LineCount(output);
    await until(() => over() || post(url, PROBE).catch(() => false), "it does not answer");
    const bodies = Array.from(
      { length: (warmUp + count) / BATCH },
      (_, at) => new TextEncoder().encode(eventLines(at * BATCH, BATCH)),
    );
    await postAll(url, bodies.slice(0, warmUp / BATCH));
    await until(async () => over() || await written.now() > warmUp, "the warm-up is lost");
    const started = performance.now();
    await postAll(url, bodies.slice(warmUp / BATCH));
    await until(async () => over() || await written.now() > warmUp + count, "events are missing");
    return (performance.now() - started) / 1000;
  });
}

/** Runs a program that has to be stopped. It fails where the program ends before `body`, which can ask whether it is `over`. */
async function whileItRuns(
  program: Program,
  body: (over: () => boolean) => Promise<number>,
): Promise<number> {
  const process = start(program, "/dev/null");
  const end = ended(process);
  let over = false;
  end.then(() => over = true);
  try {
    const result = await body(() => over);
    if (over) throw new Error("it ended");
    return result;
  } catch (error) {
    stop(process, "SIGKILL");
    const { stderr } = await end;
    throw failure(program, (error as Error).message, stderr);
  } finally {
    stop(process, "SIGTERM");
    await end;
  }
}

/** Counts the lines of a file; 0 while there is none. */
export async function countLines(path: string): Promise<number> {
  return await new LineCount(path).now();
}

/** Counts the lines of a file that grows, each once. */
class LineCount {
  readonly #path: string;
  readonly #chunk = new Uint8Array(1 << 20);
  #at = 0;
  #lines = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async now(): Promise<number> {
    const file = await Deno.open(this.#path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    if (file === undefined) return 0;
    using open = file;
    await open.seek(this.#at, Deno.SeekMode.Start);
    for (let length; (length = await open.read(this.#chunk)) !== null; this.#at += length) {
      const bytes = this.#chunk.subarray(0, length);
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) this.#lines++;
    }
    return this.#lines;
  }
}

function start([command, ...args]: Program, input: string): Deno.ChildProcess {
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("BUSBAR_"));
  return new Deno.Command("sh", {
    args: ["-c", 'input=$1; shift; exec "$@" <"$input"', "sh", input, command, ...args],
    clearEnv: true,
    env: Object.fromEntries(env),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** How a program ends; it is killed when it takes too long. */
async function ended(process: Deno.ChildProcess) {
  const timer = setTimeout(() => stop(process, "SIGKILL"), DEADLINE_MS);
  const { success, code, stderr } = await process.output();
  clearTimeout(timer);
  return { success, code, stderr: new TextDecoder().decode(stderr) };
}

function stop(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has ended by itself
  }
}

/** Posts all bodies, several at once. One that finds no room is posted again. */
async function postAll(url: string, bodies: Uint8Array<ArrayBuffer>[]): Promise<void> {
  const left = bodies.values();
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (const body of left) {
      await until(() => post(url, body), "a request is not accepted");
    }
  }));
}

async function post(url: string, body: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const headers = { "content-type": "application/x-ndjson" };
  const response = await fetch(url, { method: "POST", body, headers });
  await response.body?.cancel();
  return response.ok;
}

async function until(condition: () => boolean | Promise<boolean>, problem: string): Promise<void> {
  for (const started = performance.now(); performance.now() - started < DEADLINE_MS;) {
    if (await condition()) return;
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
  throw new Error(problem);
}

function failure(program: Program, reason: string, stderr: string): Error {
  return new Error(`Cannot run "${program.join(" ")}": ${reason}\n${stderr}`.trimEnd());
}
