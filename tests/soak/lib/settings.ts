import { join } from "node:path";
import { PROJECT } from "../../../scripts/lib/files.ts";
import type { Expectation } from "./expectation.ts";

/** Where everything of a run lies. */
export interface Places {
  /** Given by `--out`: raw files, logs. */
  out: string;
  /** Below it: what the verifier reads. */
  raw: string;
  /** Data folder and archive: a disk of its own where that can be had. */
  disk: string;
  /** Plugin folder with the soak plugin. */
  plugins: string;
  /** TCP port of the port-holding source. */
  port: number;
}

/** What a run feeds itself, in events a second. */
export interface Rates {
  numbers: number;
  port: number;
}

/** What a reload of the configuration changes. */
export interface Change {
  /** Changes nothing but the configuration itself. */
  generation: number;
  /** Where the changed component fails. */
  fail?: "create" | "start";
}

const WINDOW = 100;

/** Size of the disk buffer: so small that a standing reaction fills it. */
const BUFFER = "4MiB";

/** Control files, by sink. */
export function controlFile(places: Places, sink: string): string {
  return join(places.out, `control.${sink}`);
}

/** Once it exists, sources are at their end. */
export function stopFile(places: Places): string {
  return join(places.out, "stop");
}

/** `busbar.yaml`, as JSON. */
export function configuration(places: Places, rates: Rates, change: Change): string {
  const numbers = (name: string) => ({
    use: "soak/numbers",
    config: {
      name,
      rate: rates.numbers,
      raw_file: join(places.raw, `emitted.${name}.log`),
      stop_file: stopFile(places),
    },
  });
  const sink = (name: string, from: string[], config: Record<string, unknown> = {}) => ({
    use: "soak/sink",
    from,
    config: { file: join(places.raw, `durable.${name}.log`), ...config },
    retry: { initial: "10ms", max: "200ms" },
  });
  return JSON.stringify(
    {
      data_dir: join(places.disk, "data"),
      server: { port: 0 },
      log: { format: "json", level: "info" },
      plugins: {
        directories: [places.plugins, join(PROJECT, "dist/plugins")],
        watch: { enabled: false },
      },
      cells: {
        restart: { initial: "50ms", max: "500ms", max_restarts: 1000 },
        shutdown_timeout: "20s",
      },
      pipelines: {
        soak: {
          checkpoint_interval: "500ms",
          sources: {
            a: numbers("a"),
            b: numbers("b"),
            tcp: {
              use: "soak/port",
              config: { name: "tcp", port: places.port, stop_file: stopFile(places) },
              buffer: { type: "disk", max_bytes: BUFFER },
            },
          },
          processors: {
            windows: { use: "soak/windows", from: ["a", "b"], config: { size: WINDOW } },
          },
          reactions: {
            steady: sink("steady", ["a", "b", "tcp"], { ...change }),
            unsteady: sink("unsteady", ["a", "tcp"], {
              control_file: controlFile(places, "unsteady"),
            }),
            counted: sink("windows", ["windows"]),
            archive: {
              use: "gzip-archive/archive",
              from: ["a", "b", "tcp"],
              config: { directory: join(places.disk, "archive"), max_segment_bytes: "1MiB" },
              retry: { initial: "10ms", max: "200ms" },
            },
          },
        },
        // Its cell lives and dies beside the other's.
        beside: {
          checkpoint_interval: "200ms",
          sources: { c: numbers("c") },
          reactions: {
            beside: sink("beside", ["c"], { control_file: controlFile(places, "beside") }),
          },
        },
      },
    },
    null,
    2,
  );
}

/** What the verifier has to know of {@linkcode configuration}. */
export function expectation(): Expectation {
  return {
    sources: { a: "replayable", b: "replayable", c: "replayable", tcp: "acknowledged" },
    sinks: {
      steady: { sources: ["a", "b", "tcp"], ordered: true },
      // It ends batches in any order when it is told to.
      unsteady: { sources: ["a", "tcp"], ordered: false },
      beside: { sources: ["c"], ordered: false },
    },
    archive: { folder: "archive", sources: ["a", "b", "tcp"] },
    windows: { sink: "windows", size: WINDOW, sources: ["a", "b"] },
  };
}
