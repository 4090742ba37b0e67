import type { LastExit } from "./blame.ts";

/** How far a reload had come. */
export type ReloadPhase =
  | "inspect"
  | "store"
  | "load"
  | "create"
  | "pause"
  | "restore"
  | "start";

/** A reload has failed; what ran before runs on. */
export class ReloadError extends Error {
  override readonly name = "ReloadError";
  readonly phase: ReloadPhase;

  /** The message names plugin, component and why. */
  constructor(phase: ReloadPhase, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.phase = phase;
  }
}

/** What the end of a cell that was to take over says; `waiting` is what the host waited for. */
export function successorError(
  cell: string,
  exit: LastExit | undefined,
  waiting: "load" | "pause" | "start",
): ReloadError {
  const phase = phaseOf(exit?.call, waiting);
  const why = exit?.message ?? "it was stopped meanwhile";
  return new ReloadError(phase, `Cannot reload cell "${cell}" in ${phase}: ${why}`);
}

function phaseOf(
  call: LastExit["call"] | undefined,
  waiting: "load" | "pause" | "start",
): ReloadPhase {
  if (call === "load" || call === "create" || call === "restore" || call === "start") return call;
  return waiting;
}
