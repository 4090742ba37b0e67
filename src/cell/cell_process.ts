import { type Channel, ChannelCutError, type ChannelListener, listenChannel } from "./channel.ts";
import { readLines } from "./lines.ts";
import { parseCellMessage } from "./messages.ts";
import type { CellMessage, CellSpec, HostMessage } from "./protocol.ts";
import type { Executable } from "./run_directory.ts";

/** How a process ended. */
export interface ExitStatus {
  /** 128 + the signal's number after a signal. */
  code: number;
  signal: string | null;
}

/** What {@linkcode CellProcess} needs. */
export interface CellProcessOptions {
  executable: Executable;
  /** Sent to the cell once it said hello. */
  spec: CellSpec;
  /** Whether it is only to get ready, until it is told to go on. */
  standby: boolean;
  /** The build that the cell must have. */
  build: string;
  recorder: { path: string; size: number };
  socketPath: string;
  /** Names of environment variables that it sees besides the usual ones. */
  environment: string[];
  /** Each line that it writes outside of the log. */
  onOutput: (stream: "stdout" | "stderr", line: string) => void;
  /** All but "hello". The next message waits for the promise. */
  onMessage: (message: CellMessage) => void | Promise<void>;
  /** The cell breaks the protocol: it is to be killed. */
  onProtocolError: (message: string) => void;
}

const ENVIRONMENT =
  /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|SSL_CERT_.*|LD_LIBRARY_PATH|XDG_RUNTIME_DIR)$/;
/** When cells run from sources, they are `deno run`, which has its cache somewhere. */
const DEVELOPMENT_ENVIRONMENT = /^(DENO_.*|XDG_CACHE_HOME)$/;

const OOM_SCORE = 500;
/** How long to wait for what a dead cell had written: a process that left its group may keep the pipe open. */
const OUTPUT_GRACE_MS = 1_000;
const MESSAGES_GRACE_MS = 10_000;
const CLOSED_GRACE_MS = 3_000;

/** A cell's process, with its socket and its raw output. It runs in a process group of its own. */
export class CellProcess {
  readonly pid: number;
  /** Resolves when the process and its group are gone and what it wrote was read. Never rejects. */
  readonly ended: Promise<ExitStatus>;
  readonly #options: CellProcessOptions;
  readonly #child: Deno.ChildProcess;
  readonly #listener: ChannelListener<unknown, HostMessage>;
  #channel: Channel<unknown, HostMessage> | undefined;
  #connected = false;
  #gone = false;

  /** Starts it. @throws {Error} when the program cannot be started */
  constructor(options: CellProcessOptions) {
    const { executable, recorder, socketPath } = options;
    this.#options = options;
    this.#listener = listenChannel(socketPath);
    try {
      this.#child = new Deno.Command(executable.command, {
        args: [
          ...executable.args,
          "__cell",
          socketPath,
          recorder.path,
          `${recorder.size}`,
          `${Deno.pid}`,
        ],
        clearEnv: true,
        env: cellEnvironment(options.environment),
        detached: true,
        // Held open while the host lives: its end tells the cell to leave.
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      this.#listener.close();
      throw error;
    }
    this.pid = this.#child.pid;
    raiseOomScore(this.pid);
    const status = this.#child.status;
    const talked = this.#talk();
    this.ended = this.#end(status, talked);
    void this.#watchTalk(status, talked);
  }

  /** Whether the cell said hello, and is of the right build. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Whether the process has ended; what it wrote may still be on its way. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Sends a message, if the cell is there to get it. */
  send(message: HostMessage, bytes?: Uint8Array): void {
    // A cell that cannot be written to is dead or dies: that shows in its status.
    this.#channel?.send(message, bytes).catch(() => {});
  }

  /** Kills the process and all that it started in its group. */
  kill(): void {
    if (!this.#gone) killGroup(this.pid);
  }

  async #talk(): Promise<void> {
    const channel = await this.#listener.accept();
    // One cell, one connection.
    this.#listener.close();
    if (channel === undefined) return;
    this.#channel = channel;
    for await (const value of channel) {
      const message = parseCellMessage(value);
      if (message === undefined) {
        throw new Error(`cell sent what is no message: ${JSON.stringify(value).slice(0, 200)}`);
      }
      if (message.type === "hello") this.#greet(message);
      else if (!this.#connected) throw new Error(`cell sent "${message.type}" before "hello"`);
      else await this.#options.onMessage(message);
    }
  }

  /** A cell that is about to die may break off anywhere: only one that lives on breaks the protocol. */
  async #watchTalk(status: Promise<unknown>, talked: Promise<void>): Promise<void> {
    const error = await talked.then(() => undefined, (error: Error) => error);
    // What it said is wrong, it did not only break off.
    const wrong = error !== undefined && !(error instanceof ChannelCutError);
    if (!wrong) await within(status, CLOSED_GRACE_MS);
    const problem = error?.message ?? "cell closed its connection and went on";
    if (!this.#gone) this.#options.onProtocolError(problem);
  }

  #greet({ build, pid }: CellMessage & { type: "hello" }): void {
    if (this.#connected) throw new Error('cell sent "hello" twice');
    if (build !== this.#options.build || pid !== this.pid) {
      throw new Error(
        `cell is build "${build}", pid ${pid}, host needs build "${this.#options.build}", pid ${this.pid}`,
      );
    }
    this.#connected = true;
    const { spec, standby } = this.#options;
    this.send({ type: "init", spec, standby });
  }

  async #end(
    status: Promise<Deno.CommandStatus>,
    talked: Promise<void>,
  ): Promise<ExitStatus> {
    const { onOutput } = this.#options;
    const output = Promise.all([
      readLines(this.#child.stdout, (line) => onOutput("stdout", line)),
      readLines(this.#child.stderr, (line) => onOutput("stderr", line)),
    ]);
    const { code, signal } = await status;
    this.#gone = true;
    // What the cell's plugins started must not outlive it.
    killGroup(this.pid);
    this.#listener.close();
    await within(output, OUTPUT_GRACE_MS);
    await within(talked.catch(() => {}), MESSAGES_GRACE_MS);
    await this.#child.stdin.close().catch(() => {});
    this.#channel?.close();
    return { code, signal };
  }
}

function cellEnvironment(names: string[]): Record<string, string> {
  const wanted = Object.entries(Deno.env.toObject()).filter(([name]) =>
    ENVIRONMENT.test(name) || names.includes(name) ||
    (!Deno.build.standalone && DEVELOPMENT_ENVIRONMENT.test(name))
  );
  // Bound at load, an unresolved symbol is an error with a name, not a death in the first call.
  return { ...Object.fromEntries(wanted), LD_BIND_NOW: "1" };
}

/** When memory runs out, a cell goes before the host. */
function raiseOomScore(pid: number): void {
  try {
    const own = Number(Deno.readTextFileSync("/proc/self/oom_score_adj"));
    Deno.writeTextFileSync(`/proc/${pid}/oom_score_adj`, `${Math.min(1000, own + OOM_SCORE)}`);
  } catch {
    // It ended already, or the system does not let us: no reason not to run.
  }
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: number | undefined;
  const timeout = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
