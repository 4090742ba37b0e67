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

/** `what` is what cannot be done, such as `reload cell "web"`. */
export function reloadError(what: string, phase: ReloadPhase, why: string): ReloadError {
  return new ReloadError(phase, `Cannot ${what} in ${phase}: ${why}`);
}

/** In which phase a cell that was to take over has ended; `waiting` is what the host waited for. */
export function phaseOf(
  exit: LastExit | undefined,
  waiting: "load" | "pause" | "start",
): ReloadPhase {
  const call = exit?.call;
  if (call === "load" || call === "create" || call === "restore" || call === "start") return call;
  return waiting;
}
