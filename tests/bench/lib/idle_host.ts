import { join } from "node:path";
import { stringify } from "yaml";
import { busbarCommand } from "./busbar.ts";
import type { Arena } from "./contestants.ts";

/** A running busbar with one cell whose source has nothing to give. */
export interface IdleHost {
  /** Process id of the host; the cell is its only child. */
  pid: number;
  /** From the spawn of the cell until it was ready, as the host logged it. */
  cellReadyMs: number;
}

const READY_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 60_000;

/** Starts an idle host, calls `action` once its cell is ready, and stops it. */
export async function withIdleHost<T>(
  arena: Arena,
  action: (host: IdleHost) => Promise<T>,
): Promise<T> {
  const dataDir = await Deno.makeTempDir({ dir: arena.folder, prefix: "idle_" });
  try {
    const process = busbarCommand(arena.busbar, await idleArguments(arena, dataDir)).spawn();
    const log = followLog(process);
    try {
      return await action({ pid: process.pid, cellReadyMs: await log.cellReadyMs });
    } finally {
      await stop(process, log);
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function idleArguments({ programs }: Arena, dataDir: string): Promise<string[]> {
  const config = join(dataDir, "busbar.yaml");
  const result_file = join(dataDir, "result.json");
  const pipeline = {
    sources: { s: { use: "bench-source/load", config: { count: 0, hold: true } } },
    reactions: { r: { use: "bench-sink/sink", from: ["s"], config: { result_file } } },
  };
  await Deno.writeTextFile(config, stringify({ data_dir: dataDir, pipelines: { idle: pipeline } }));
  const settings = ["log.format=json", "log.level=info", "server.port=0"];
  return [
    ...["run", "-c", config, "--plugin-dir", programs.pluginDir],
    ...settings.flatMap((setting) => ["--set", setting]),
  ];
}

interface Log {
  cellReadyMs: Promise<number>;
  ended: Promise<unknown>;
}

/** Reads both outputs to their end, looking for the record of the ready cell. */
function followLog(process: Deno.ChildProcess): Log {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let output = "";
  const fail = (why: string) =>
    reject(new Error(`Cannot measure an idle cell: ${why}\n${output}`.trimEnd()));
  const follow = async (stream: ReadableStream<Uint8Array>) => {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const ms = readyMs(line);
        if (ms !== undefined) resolve(ms);
      }
    }
  };
  const timer = setTimeout(
    () => fail(`no log record with "ready_ms" in ${READY_DEADLINE_MS / 1000} s`),
    READY_DEADLINE_MS,
  );
  const ended = Promise.all([follow(process.stdout), follow(process.stderr)])
    .then(() => fail('the host ended without a log record with "ready_ms"'));
  return { cellReadyMs: promise.finally(() => clearTimeout(timer)), ended };
}

/** `ready_ms` of a JSON log line, which stands among the record's properties. */
function readyMs(line: string): number | undefined {
  if (!line.includes('"ready_ms"')) return undefined;
  const record = JSON.parse(line);
  const ms = record.ready_ms ?? record.properties?.ready_ms;
  return typeof ms === "number" ? ms : undefined;
}

/** Ends the host; throws when that takes too long, or leaves a process behind that holds the host's outputs. */
async function stop(process: Deno.ChildProcess, log: Log): Promise<void> {
  kill(process, "SIGTERM");
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    kill(process, "SIGKILL");
    late.reject(
      new Error(
        `Cannot stop the idle host ${process.pid}: it or its cell still runs ${
          STOP_DEADLINE_MS / 1000
        } s after SIGTERM`,
      ),
    );
  }, STOP_DEADLINE_MS);
  try {
    await Promise.race([Promise.all([process.status, log.ended]), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function kill(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has ended by itself
  }
}
