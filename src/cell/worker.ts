/** The cell: loads plugins and runs pipelines, in a process of its own. See supervisor.ts for who starts it. */
import { MemoryFile } from "../../ffi/memory_file.ts";
import { SharedLayout } from "../../ffi/recorder_layout.ts";
import { loadShim } from "../../ffi/shim.ts";
import { buildInfo } from "../build_info.ts";
import { CellLog, LOG_LEVELS, type LogLevelName } from "../component/cell_log.ts";
import { PluginError } from "../plugin/errors.ts";
import { ComponentError } from "../pipeline/pipeline.ts";
import { type Channel, connectChannel } from "./channel.ts";
import { CellRecorder } from "../../ffi/flight_recorder.ts";
import type { Call } from "../component/call.ts";
import type { CallMessage, CellMessage, CellSpec, HostMessage } from "./protocol.ts";
import type { ComponentFailure } from "../pipeline/spec.ts";
import { Scheduler } from "./scheduler.ts";
import { assemble, type CellServices } from "./assembly.ts";
import { Completions } from "./completions.ts";
import { failed } from "./service_unit.ts";
import { Sleeper } from "./sleeper.ts";

type HostChannel = Channel<HostMessage, CellMessage>;

/** Exit code of a cell that ended itself because a component is beyond repair; the host was told why. */
export const FATAL_EXIT = 70;

/** Runs a cell until the host lets it end. Arguments: socket, recorder file in the host's /proc folder and its size. */
export async function runCell(args: string[]): Promise<never> {
  const [socket, recorderPath, recorderSize] = args;
  const host = /^\/proc\/(\d+)\//.exec(recorderPath ?? "")?.[1];
  if (!socket || !recorderPath || !recorderSize || !host) {
    throw new Error("Cannot run as a cell: only busbar itself starts cells");
  }
  leaveWithHost();
  const file = MemoryFile.open(recorderPath, Number(recorderSize));
  const recorder = new CellRecorder(file.buffer);
  const channel: HostChannel = await connectChannel(socket);
  await channel.send({ type: "hello", pid: Deno.pid, build: buildInfo().buildId });
  const cell = new Cell(channel, recorder);
  for await (const message of channel) await cell.take(message, file, Number(host));
  return Deno.exit(0);
}

/** Standard input ends when the host does, however it ended. */
function leaveWithHost(): void {
  void (async () => {
    const buffer = new Uint8Array(64);
    while (await Deno.stdin.read(buffer).catch(() => null) !== null);
    Deno.exit(0);
  })();
}

class Cell {
  readonly #channel: HostChannel;
  readonly #recorder: CellRecorder;
  #services: CellServices | null = null;
  #spec: CellSpec | null = null;
  #scheduler: Scheduler | null = null;
  /** While pipelines run: resolves when all have ended and are taken down. */
  #running: Promise<void> | null = null;
  /** The host asked for a pause: what ends is not the cell. */
  #pausing = false;
  #ending = false;

  constructor(channel: HostChannel, recorder: CellRecorder) {
    this.#channel = channel;
    this.#recorder = recorder;
  }

  async take(message: HostMessage, file: MemoryFile, parent: number): Promise<void> {
    switch (message.type) {
      case "init":
        this.#init(message.spec, file, parent);
        return await this.#bringUp(message.standby ? "create" : "both");
      case "activate":
        return await this.#bringUp("start");
      case "pause":
        return void this.#pause(message.deadline);
      case "resume":
        return await this.#bringUp("both");
      case "replay":
        return this.#scheduler?.replayLetters(message.pipeline);
      case "log_level":
        return setLogLevel(message.level);
      case "call":
        return void this.#call(message);
      case "stop":
        return void this.#stop(message.deadline);
    }
  }

  #init(spec: CellSpec, file: MemoryFile, parent: number): void {
    const status = loadShim().bb_init(file.pointer, parent, BigInt(spec.descriptors));
    if (status !== 0) {
      throw new Error(`Cannot start cell "${spec.name}": error ${status} of the system`);
    }
    setLogLevel(spec.logLevel);
    for (const type of ["error", "unhandledrejection"] as const) {
      globalThis.addEventListener(type, (event) => {
        event.preventDefault();
        const error = event instanceof ErrorEvent
          ? event.error
          : (event as PromiseRejectionEvent).reason;
        void this.#fatal({ ...failureOf(error, spec), code: "Internal", message: textOf(error) });
      });
    }
    this.#spec = spec;
    this.#services = {
      recorder: this.#recorder,
      recorderAddress: Deno.UnsafePointer.value(file.pointer),
      log: new CellLog(),
      sleeper: new Sleeper(),
      completions: new Completions(),
      send: (message) => this.#channel.send(message),
      fatal: (failure) => this.#fatal(failure),
    };
  }

  /** Brings the pipelines up: creates them ("create"), starts what was created ("start"), or both. */
  async #bringUp(steps: "create" | "start" | "both"): Promise<void> {
    const spec = this.#spec!;
    const services = this.#services!;
    const beat = setInterval(() => this.#recorder.beat(), 250);
    try {
      if (steps !== "start") {
        this.#scheduler = await assemble(spec, services);
        await this.#scheduler.create();
      }
      if (steps === "create") return await this.#channel.send({ type: "prepared" });
      // What a paused run left behind is not for this one.
      services.completions.drain(() => {});
      await this.#scheduler!.start();
    } catch (error) {
      return await this.#fatal(failureOf(error, spec));
    } finally {
      clearInterval(beat);
    }
    await this.#channel.send({ type: "ready" });
    this.#running = this.#run(this.#scheduler!);
  }

  async #run(scheduler: Scheduler): Promise<void> {
    await scheduler.run();
    this.#running = null;
    if (this.#pausing) {
      this.#pausing = false;
      await this.#channel.send({ type: "paused" });
    } else await this.#leave();
  }

  async #call(message: CallMessage): Promise<void> {
    const made = await (this.#scheduler?.call(message.place, callOf(message)) ??
      failed("it is not running"));
    const { message: text, status, answer, changes, body } = made;
    const answerMessage = {
      type: "answer",
      id: message.id,
      status,
      message: text,
      answerStatus: answer.status,
      answerHeaders: answer.headers,
      changes,
      newBody: body !== undefined,
    } as const;
    await this.#channel.send(answerMessage, body ?? answer.body).catch(() => {});
  }

  async #pause(deadline: number): Promise<void> {
    if (this.#running === null) return await this.#channel.send({ type: "paused" });
    this.#pausing = true;
    await this.#scheduler!.stop(deadline);
  }

  async #stop(deadline: number): Promise<void> {
    this.#pausing = false;
    if (this.#running !== null) return await this.#scheduler!.stop(deadline);
    await this.#scheduler?.discard();
    await this.#leave();
  }

  /** Ends the process at once: a component is beyond repair, and so may be the memory of them all. */
  async #fatal(failure: ComponentFailure): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#channel.send({ type: "fatal", failure }).catch(() => {});
    this.#recorder.cleanExit();
    Deno.exit(FATAL_EXIT);
  }

  async #leave(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#services?.sleeper.close();
    await this.#channel.flush().catch(() => {});
    this.#recorder.cleanExit();
    this.#channel.close();
    Deno.exit(0);
  }
}

function callOf({ bytes = new Uint8Array(0), ...message }: CallMessage): Call {
  const { type: _, bodyLength, answer, ...rest } = message;
  return {
    ...rest,
    body: bytes.subarray(0, bodyLength),
    ...(answer && { answer: { ...answer, body: bytes.subarray(bodyLength) } }),
  };
}

function setLogLevel(level: string): void {
  const shared = new Deno.UnsafePointerView(loadShim().bb_shared()!);
  const view = new DataView(shared.getArrayBuffer(SharedLayout.size));
  view.setInt32(
    SharedLayout.offset.log_level,
    LOG_LEVELS[level as LogLevelName] ?? LOG_LEVELS.info,
    true,
  );
}

function failureOf(error: unknown, spec: CellSpec): ComponentFailure {
  if (error instanceof ComponentError) return error.failure;
  const plugin = error instanceof PluginError
    ? Object.entries(spec.plugins).find(([, plugin]) => plugin.library === error.path)?.[0] ?? ""
    : "";
  const code = error instanceof PluginError ? error.code : "LoadFailed";
  const message = error instanceof PluginError ? error.message : textOf(error);
  return {
    pipeline: spec.pipelines[0]?.pipeline.id ?? "",
    component: "",
    plugin,
    call: "load",
    code,
    message,
  };
}

/** With the stack: what is not a plugin's or a component's error is a fault of busbar itself. */
function textOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
