/**
 * How every command ends; `docs/cli.md` says the same. 130 and 143 come on top: ended at once by a second SIGINT or
 * SIGTERM, before everything had stopped in order.
 */
export const ExitCode = {
  /** Done, also when a signal asked to stop and everything stopped in order. */
  OK: 0,
  /** Something is wrong with what was asked about: a refused plugin, a failed pipeline, a host that is not ready. */
  FAILURE: 1,
  /** Wrong usage, or a configuration that cannot be used. */
  USAGE: 2,
  /** The host could not start: port in use, data folder that cannot be written. */
  START: 3,
  /** A fault of busbar itself. */
  INTERNAL: 70,
  /** Interrupted (SIGINT) before everything had stopped. */
  INTERRUPTED: 130,
  /** Terminated (SIGTERM) before everything had stopped. */
  TERMINATED: 143,
} as const;

export type ExitCode = typeof ExitCode[keyof typeof ExitCode];

/** Ends a command with a message for people and an exit code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
