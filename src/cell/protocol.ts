/**
 * What host and cell say to each other over their private socket. What changes often (counters, heartbeat, logs,
 * positions) does not travel here: it lies in the flight recorder, where the host still finds it when the cell is dead.
 */
import type { CellPipeline, ComponentFailure, PipelineState, Suspect } from "../pipeline/spec.ts";
import type { CallMade, CallName, HeaderPair } from "../component/call.ts";
import type { Manifest } from "../plugin/manifest.ts";

/** A plugin as a cell loads it: from its copy in the store, never from where the operator put it. */
export interface CellPlugin {
  manifest: Manifest;
  /** Absolute path of the library in the store. */
  library: string;
  /** Absolute path of its folder in the store. */
  directory: string;
  /** The ABI hash that inspection read; compared once more after loading. */
  abiHash: string;
}

/**
 * Everything a cell needs to know. Components are numbered through all pipelines in order; so are sources. These numbers
 * are their places in the flight recorder, whose source places hold where to resume when the cell starts.
 */
export interface CellSpec {
  name: string;
  logLevel: string;
  preload: string[];
  /** Folder of all plugin copies: code under it is a plugin's when blame is laid. */
  storeDirectory: string;
  /** By plugin name; without the built-in one. */
  plugins: Record<string, CellPlugin>;
  pipelines: CellPipeline[];
  /** Open files that the cell may have. */
  descriptors: number;
  /** What its predecessors crashed on. */
  suspects: Suspect[];
  /** Socket that the host's standard input comes from, where a source reads it. */
  standardInput?: string;
}

export type CellMessage =
  /** First of all; the host refuses another build. */
  | { type: "hello"; pid: number; build: string }
  /** Every component of every pipeline was started. */
  | { type: "ready" }
  /** Every component was created; nothing exclusive is held. */
  | { type: "prepared" }
  /** Everything is stopped and saved, and let go of. */
  | { type: "paused" }
  /** `failure` goes with "failed": the pipeline stops for good, e.g. because of `on_failure: stop`. */
  | { type: "pipeline"; id: string; state: PipelineState; failure?: ComponentFailure }
  /** The cell ends itself because of this; it is to be replaced and the failure counted like a crash. */
  | { type: "fatal"; failure: ComponentFailure }
  /** `component` is the number in the recorder, where the health itself is. */
  | { type: "health"; component: number; message: string }
  /** For the host's standard output, as it is. */
  | { type: "output"; text: string }
  | AnswerMessage;

/** What came of a call. */
export interface AnswerMessage extends Omit<CallMade, "body" | "answer"> {
  type: "answer";
  /** Of the call. */
  id: number;
  answerStatus: number;
  answerHeaders: HeaderPair[];
  /** Whether `bytes` is the request's new body, of a hook that lets it go on, rather than the answer's. */
  newBody: boolean;
  bytes?: Uint8Array;
}

/** A call of a service, a hook, or a source that is given events. */
export interface CallMessage {
  type: "call";
  id: number;
  /** Number of the place in the recorder: each of a service's places takes one call at a time. */
  place: number;
  call: CallName;
  /** Milliseconds since 1970. */
  deadline: number;
  /** Bytes of an answer's body, at most. */
  maxOutput: number;
  method: string;
  path: string;
  query: string;
  headers: HeaderPair[];
  /** Of `bytes`: what follows is the body of the answer, for a hook that sees it. */
  bodyLength: number;
  answer?: { status: number; headers: HeaderPair[] };
  bytes?: Uint8Array;
}

export type HostMessage =
  /** Load, create and start; with `standby` only load and create, then answer "prepared" and wait for "activate". */
  | { type: "init"; spec: CellSpec; standby: boolean }
  /** A successor takes over: restore, start, from the checkpoint that the predecessor left; answers "ready". */
  | { type: "activate" }
  /**
   * Stop sources, drain, save, take the last checkpoint, stop everything and let go of the pipelines' stores, but stay alive;
   * answers "paused". What has not drained `deadline` ms from now is left to be replayed.
   */
  | { type: "pause"; deadline: number }
  /** Start again after "pause", from the checkpoint; answers "ready". */
  | { type: "resume" }
  /** Dead letters of the pipeline are marked to be offered again. */
  | { type: "replay"; pipeline: string }
  /** Stop everything in order, then end with code 0. What has not ended `deadline` ms from now will be killed. */
  | { type: "stop"; deadline: number }
  | { type: "log_level"; level: string }
  | CallMessage;
