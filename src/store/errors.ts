/** What went wrong with a database; a caller tells faults apart by it. */
export type StoreErrorCode = "Full" | "ReadOnly" | "Busy" | "Corrupt" | "Io" | "Newer";

/** A database that cannot be opened, read or written. What was committed before is as it was. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** The database at fault. */
  readonly path: string;

  constructor(code: StoreErrorCode, message: string, options: { path: string; cause?: unknown }) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.path = options.path;
  }
}

const REMEDIES: Record<StoreErrorCode, string> = {
  Full: "free space on its disk",
  ReadOnly: "make the file and its folder writable for this user",
  Busy: "end the other process that writes to it",
  Corrupt:
    'end what uses it, then see "busbar state check" and move it aside with "busbar state check --repair"',
  Io: "check its disk, and the permissions of its folder",
  Newer: "run the busbar that wrote it, or a newer one",
};

/** The error that says `Cannot <action> "<path>": <reason>`, and what to do. */
export function storeError(
  code: StoreErrorCode,
  reason: string,
  options: { action: string; path: string; cause?: unknown },
): StoreError {
  const { action, path } = options;
  const message = `Cannot ${action} "${path}": ${reason}; ${REMEDIES[code]}`;
  return new StoreError(code, message, {
    path,
    ...("cause" in options ? { cause: options.cause } : {}),
  });
}

/** What the system calls the errors of making or writing a file. */
const FILE_CODES: Record<string, StoreErrorCode> = {
  EACCES: "ReadOnly",
  EPERM: "ReadOnly",
  EROFS: "ReadOnly",
  ENOSPC: "Full",
  EDQUOT: "Full",
};

/** The error of making or writing a file, or a folder, that is no database of SQLite's. */
export function fileError(error: unknown, action: string, path: string): StoreError {
  const code = FILE_CODES[(error as { code?: string }).code ?? ""] ?? "Io";
  const message = error instanceof Error ? error.message : String(error);
  const reason = message.replace(/ \(os error.*$/s, "");
  return storeError(code, reason, { action, path, cause: error });
}

const FULL = 13;
/** There was no room for the file that processes share, which SQLite does not take for a full disk. */
const IOERR_SHMSIZE = 10 | 19 << 8;

/** SQLite's primary result codes; its own SQL never fails, so an SQL error is a file with another schema. */
const CODES = new Map<number, StoreErrorCode>([
  [1, "Corrupt"],
  [3, "ReadOnly"],
  [5, "Busy"],
  [6, "Busy"],
  [8, "ReadOnly"],
  [10, "Io"],
  [11, "Corrupt"],
  [FULL, "Full"],
  [14, "Io"],
  [15, "Busy"],
  [26, "Corrupt"],
]);

/** Whether SQLite came upon a structure that cannot be, e.g. a link to a page that is not there. */
export function isDamage(error: unknown): boolean {
  return resultOf(error) === 11;
}

/** Whether SQLite found no space on the disk. */
export function isFull(error: unknown): boolean {
  return resultOf(error) === FULL;
}

/** Whether another process was in the way for too long. */
export function isBusy(error: unknown): boolean {
  return resultOf(error) === 5;
}

/** SQLite's primary result code, of what it threw or what that was translated to. */
function resultOf(error: unknown): number | undefined {
  const thrown = error instanceof StoreError ? error.cause : error;
  const result = (thrown as { errcode?: number } | undefined)?.errcode;
  return result === undefined ? undefined : result === IOERR_SHMSIZE ? FULL : result & 0xff;
}

/** What SQLite threw as a `StoreError`; anything else, such as a mistake of the caller, as it is. */
export function translate(error: unknown, action: string, path: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreError) return error;
  if ((error as { code?: unknown }).code !== "ERR_SQLITE_ERROR") return error;
  const result = resultOf(error);
  // Errors of opening carry no result code.
  const code = result === undefined ? "Io" : CODES.get(result);
  if (code === undefined) return error;
  const reason = code === "Full" ? "database or disk is full" : error.message;
  return storeError(code, reason, { action, path, cause: error });
}
