/** What went wrong with a plugin file; a caller tells faults apart by it. */
export type PluginErrorCode =
  | "NotFound"
  | "NotReadable"
  | "NotALibrary"
  | "CorruptLibrary"
  | "ManifestNotFound"
  | "InvalidManifest"
  | "ManifestDiffers"
  | "MissingSymbol"
  | "AbiMismatch"
  | "MinorTooNew"
  | "TargetMismatch"
  | "GlibcTooOld"
  | "BuildMismatch"
  | "MissingLibrary"
  | "DuplicatePlugin"
  | "SonameConflict"
  | "TwoGoRuntimes"
  | "UnsafeFolder"
  | "StoreFailed"
  | "NoExecFolder"
  | "LoadFailed";

/** A plugin that cannot be read, judged, stored or loaded. */
export class PluginError extends Error {
  override readonly name = "PluginError";
  readonly code: PluginErrorCode;
  /** The file or folder at fault. */
  readonly path: string;

  constructor(code: PluginErrorCode, message: string, options: { path: string; cause?: unknown }) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.path = options.path;
  }
}

/** One reason why a plugin is refused; `message` is complete, as an error's message is. */
export interface PluginProblem {
  readonly code: PluginErrorCode;
  readonly path: string;
  readonly message: string;
}

/** The problem that an error describes. */
export function problemOf(error: PluginError): PluginProblem {
  return { code: error.code, path: error.path, message: error.message };
}
