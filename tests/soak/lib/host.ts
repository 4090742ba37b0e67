import { join } from "node:path";
import { cellsOf, signal, until, within } from "./processes.ts";

/** Many times what a start takes. */
const START_MS = 30_000;

/** The busbar under test: started, killed and started again, with one log over all of its lives. */
export class SoakHost {
  readonly #binary: string;
  readonly #config: string;
  readonly #log: Deno.FsFile;
  #process: Deno.ChildProcess | undefined;
  #ended: Promise<Deno.CommandStatus> | undefined;
  #printed = "";
  #expected = true;
  /** Ends that nobody brought about. */
  readonly surprises: string[] = [];

  /** `folder` gets `host.log`. */
  constructor(binary: string, config: string, folder: string) {
    this.#binary = binary;
    this.#config = config;
    this.#log = Deno.openSync(join(folder, "host.log"), { create: true, append: true });
  }

  get pid(): number {
    return this.#process!.pid;
  }

  /** Starts it and waits until it serves. */
  async start(): Promise<void> {
    const kept = Object.entries(Deno.env.toObject()).filter(([name]) =>
      !name.startsWith("BUSBAR_")
    );
    const process = new Deno.Command(this.#binary, {
      args: ["run", "--until-done", "-c", this.#config],
      clearEnv: true,
      env: { ...Object.fromEntries(kept), NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#process = process;
    this.#printed = "";
    this.#expected = false;
    this.#ended = process.status.then((status) => {
      if (this.#process === process && !this.#expected) {
        this.surprises.push(`the host ended by itself, code ${status.code}: see host.log`);
        // As a service manager would: what was under way is not to be missing besides.
        if (this.address !== undefined) this.start();
      }
      return status;
    });
    this.#read(process).catch(() => {});
    const served = await until(
      () => this.address !== undefined || this.surprises.length > 0,
      START_MS,
    );
    if (!served) this.surprises.push("the host does not start: see host.log");
  }

  /** `http://127.0.0.1:PORT`, once it listens. */
  get address(): string | undefined {
    return /^busbar listening on (\S+)$/m.exec(this.#printed)?.[1];
  }

  /** Kills it as nothing else could, and starts it again. */
  async killAndRestart(): Promise<void> {
    this.#expected = true;
    signal(this.pid, "SIGKILL");
    await this.#ended;
    await this.start();
  }

  /** Pids of its cells. */
  async cells(): Promise<number[]> {
    return await cellsOf(this.pid);
  }

  /** Whether every pipeline runs. */
  async ready(): Promise<boolean> {
    try {
      const response = await fetch(`${this.address}/readyz`, { signal: AbortSignal.timeout(2000) });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }

  /** Body of `GET path`, or undefined where there is no answer. */
  // deno-lint-ignore no-explicit-any
  async get(path: string): Promise<any> {
    try {
      const signal = AbortSignal.timeout(5000);
      const response = await fetch(`${this.address}${path}`, { signal });
      return await response.json();
    } catch {
      return undefined;
    }
  }

  /** Runs a command of the CLI for this host; its exit code and what it printed. */
  async command(...args: string[]): Promise<{ code: number; text: string }> {
    const output = await new Deno.Command(this.#binary, {
      args: [...args, "-c", this.#config],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    return {
      code: output.code,
      text: decoder.decode(output.stdout) + decoder.decode(output.stderr),
    };
  }

  /** Its end, which is its own to bring about from now on; killed after `timeout` ms. */
  async end(timeout: number): Promise<void> {
    this.#expected = true;
    const status = await within(this.#ended!, timeout);
    if (status === undefined) {
      signal(this.pid, "SIGKILL");
      this.surprises.push("the host did not end although its sources had: see host.log");
    } else if (status.code !== 0) {
      this.surprises.push(
        `the host ended with code ${status.code} after its sources: see host.log`,
      );
    }
  }

  /** Ends it in any case. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#expected = true;
    if (this.#process !== undefined) {
      signal(this.pid, "SIGKILL");
      await this.#ended;
    }
    this.#log.close();
  }

  async #read(process: Deno.ChildProcess): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of process.stderr) {
      this.#log.writeSync(bytes);
      if (process === this.#process && this.address === undefined) {
        this.#printed += decoder.decode(bytes, { stream: true });
      }
    }
  }
}
