import { stringify } from "yaml";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../../scripts/lib/files.ts";
import { runBusbar } from "./busbar.ts";
import type { Programs } from "./programs.ts";

/** Bytes of an arena, for busbar and for the C hosts. */
const MAX_BYTES = 4 * 1024 * 1024;

/** What one run moves. */
export interface Load {
  /** Events, with the fifth of them that warms up. */
  count: number;
  /** Bytes of an event's payload. */
  payload: number;
  /** Events in a batch at most. */
  batch: number;
}

/** What one run measured. */
export interface Measurement {
  /** Time for an event, warm-up excluded. */
  nsPerEvent: number;
  /** Of all payloads and sequences; equal wherever the load is equal. */
  checksum?: string;
}

/** Something that moves a load and is timed: by the sink, but for the JSON program. */
export type Contestant = () => Promise<Measurement>;

/** What the contestants of a run share. */
export interface Arena {
  programs: Programs;
  /** The busbar binary. */
  busbar: string;
  /** Scratch folder, on the file system of the binary. */
  folder: string;
}

/** The C host that loads source, sink and, for `native3`, the processor between them. */
export function hostContestant(arena: Arena, load: Load, withPass: boolean): Contestant {
  const { host, source, sink, pass } = arena.programs;
  return () => runHost(arena, load, [host, source, sink, ...(withPass ? [pass] : [])]);
}

/** The C host that has source and sink linked in. */
export function staticContestant(arena: Arena, load: Load): Contestant {
  return () => runHost(arena, load, [arena.programs.hostStatic]);
}

/** busbar itself: host, cell and all, with nothing set but the limits of a batch. */
export function busbarContestant(arena: Arena, load: Load, withPass: boolean): Contestant {
  return async () => {
    const result = await resultFile(arena);
    const { count, payload, batch } = load;
    const pipeline = {
      batch: { max_events: batch, max_bytes: MAX_BYTES },
      sources: { s: { use: "bench-source/load", config: { count, payload, seed: 1 } } },
      ...(withPass && { processors: { p: { use: "bench-pass/pass", from: ["s"] } } }),
      reactions: {
        r: {
          use: "bench-sink/sink",
          from: [withPass ? "p" : "s"],
          config: { count, result_file: result },
        },
      },
    };
    const dataDir = await Deno.makeTempDir({ dir: arena.folder, prefix: "data_" });
    const config = join(dataDir, "busbar.yaml");
    try {
      await Deno.writeTextFile(
        config,
        stringify({ data_dir: dataDir, pipelines: { b: pipeline } }),
      );
      await runBusbar(arena.busbar, [
        ...["run", "-c", config, "--until-done", "--set", "server.enabled=false"],
        ...["--plugin-dir", arena.programs.pluginDir],
      ]);
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
    return await readResult(result, load);
  };
}

/** A Deno program that sends each event as JSON text through the FFI. */
export function jsonContestant(arena: Arena, load: Load): Contestant {
  const script = fileURLToPath(new URL("./json_ffi.ts", import.meta.url));
  const { count, payload } = load;
  return async () => {
    const args = [arena.programs.json, String(count), String(payload)];
    const { events, ns } = JSON.parse(
      await run([Deno.execPath(), "run", "--allow-ffi", "--no-config", script, ...args]),
    );
    return { nsPerEvent: ns / events };
  };
}

async function runHost(arena: Arena, load: Load, command: string[]): Promise<Measurement> {
  const result = await resultFile(arena);
  const [program, ...libraries] = command;
  const sizes = [load.count, load.payload, load.batch, MAX_BYTES].map(String);
  await run([program!, ...sizes, result, ...libraries]);
  return await readResult(result, load);
}

/** The path of a result that does not exist yet, so that no run takes another's for its own. */
async function resultFile({ folder }: Arena): Promise<string> {
  const path = join(folder, "result.json");
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  return path;
}

async function readResult(path: string, { count }: Load): Promise<Measurement> {
  const text = await Deno.readTextFile(path).catch((error) => {
    throw new Error(`Cannot use the run: the sink did not get ${count} events`, { cause: error });
  });
  const { events, ns, total, checksum } = JSON.parse(text);
  if (total !== count || !(events > 0) || !(ns > 0)) {
    throw new Error(
      `Cannot use the run: the sink counted ${text.trim()}, expected ${count} events`,
    );
  }
  return { nsPerEvent: ns / events, checksum };
}
