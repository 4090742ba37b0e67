/**
 * What the pipeline knows of a component, whatever language it is written in: native.ts makes it of a plugin's table,
 * builtin.ts of a TypeScript object. Calls on one instance are never made at the same time.
 */
import type { CallName } from "../../ffi/recorder_layout.ts";
import type { ComponentKind } from "../../ffi/layout.ts";
import type { Batch } from "../event/batch.ts";
import type { Call, CallMade } from "./call.ts";

/** A status, at once or, from a component that may block, later. */
export type Result = number | Promise<number>;

/** The end of a PENDING write. */
export interface Completion {
  batchId: number;
  status: number;
  done: number;
  message: string;
}

/** State of a component as `save` gives it and `restore` takes it. */
export interface SavedState {
  version: number;
  data: Uint8Array;
}

/** How far a source's events are finished everywhere. */
export interface Acknowledged {
  sourceId: string;
  source: number;
  sequence: number;
}

/** What an instance gets to know before `start`. */
export interface Resume {
  /** Sources: go on right after it; empty: from the beginning. */
  position: Uint8Array;
  acknowledged: readonly Acknowledged[];
}

export interface Instance {
  /** Id in the pipeline. */
  readonly id: string;
  readonly kind: ComponentKind;
  /** Name of the plugin. */
  readonly plugin: string;
  /** Number in the flight recorder. */
  readonly index: number;
  /** Whether calls are made off the JavaScript thread, so that results are promises. */
  readonly blocking: boolean;
  /** A processor's outputs. */
  readonly outputs: readonly string[];
  /** How often `tick` is called, in ms; 0: only after a wake. */
  readonly tickInterval: number;

  /** Whether the component offers this call. */
  has(call: CallName): boolean;
  /** Message of the last call that did not return OK; "" when it left none. */
  error(): string;
  /** Whether it asked for a call since {@linkcode takeWake}. */
  readonly woken: boolean;
  /** The same, and from now on it has not. */
  takeWake(): boolean;
  setResume(resume: Resume): void;

  create(): Result;
  restore(state: SavedState): Result;
  start(): Result;
  stop(): Result;
  /** The state, else the status that says why not. */
  save(): Promise<SavedState | number>;
  destroy(): Result;
  /** OK or FAILED, then `error()` is the message. */
  health(): Result;
  poll(batch: Batch): Result;
  commit(position: Uint8Array): Result;
  release(loan: bigint): Result;
  process(batch: Batch): Result;
  tick(batch: Batch): Result;
  write(batch: Batch): Result;
  flush(): Result;
  /** Gives a source events from outside; absent where it takes none. */
  receive?(call: Call): Promise<CallMade>;
}
