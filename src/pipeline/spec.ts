import type { CallName } from "../../ffi/recorder_layout.ts";
import type { ResolvedPipeline } from "../config/resolved.ts";

/** One pipeline, or one partition of it, in a cell. */
export interface CellPipeline {
  pipeline: ResolvedPipeline;
  partitionIndex: number;
  partitionCount: number;
  /** Folder under which each component gets its private data folder, named by its id. */
  dataDirectory: string;
  /** The database with its checkpoint, dead letters and buffers. */
  storePath: string;
}

/** A component's failure that is not a crash. */
export interface ComponentFailure {
  pipeline: string;
  /** Id of the component; "" where the plugin as a whole failed. */
  component: string;
  plugin: string;
  call: CallName | "load";
  /** Stable code for the API: LoadFailed, CreateFailed, RestoreFailed, StartFailed, Fatal, MalformedBatch, Rejected, Internal. */
  code: string;
  message: string;
}

export type PipelineState = "running" | "completed" | "stopped" | "failed";

/** Records that a component of the cell before may have crashed on. */
export interface Suspect {
  pipeline: string;
  partition: number;
  component: string;
  /** Number of the source in its pipeline. */
  source: number;
  /** Sequences from `start` to before `end`. */
  start: number;
  end: number;
  /** It killed the cell alone, more than once: it goes to `on_failure` instead of being offered. */
  poison: boolean;
}
