/** Something about a plugin project that its author can put right; the message says how. */
export class ProjectError extends Error {
  override readonly name: string = "ProjectError";
}

/** The compiler that a project needs is not installed. */
export class MissingCompilerError extends ProjectError {
  override readonly name = "MissingCompilerError";
}

/** A program that was run ended with an error, or could not be started. */
export class RunError extends Error {
  override readonly name = "RunError";
  /** What it printed, its errors first; empty where it could not be started. */
  readonly output: string;

  constructor(message: string, options: { output: string; cause?: unknown }) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.output = options.output;
  }
}
