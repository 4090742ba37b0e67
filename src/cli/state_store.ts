import { StoreError } from "../store/errors.ts";
import { HostLockError, lockDataDirectory } from "../store/host_lock.ts";
import { HostStore } from "../store/host_store.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";

/** The host's store of a data folder. @throws {CommandError} where there is none, or it cannot be used */
export function openStore(dataDirectory: string): HostStore {
  const path = HostStore.pathIn(dataDirectory);
  if (!exists(path)) {
    throw new CommandError(
      ExitCode.FAILURE,
      `Cannot find the store "${path}": no host has run on this data folder; name another with -c or --data-dir`,
    );
  }
  return reported(dataDirectory, () => HostStore.open(dataDirectory));
}

/** Takes the data folder, so that no host can run on it while this process does. @throws {CommandError} when one does */
export function takeDataFolder(dataDirectory: string): void {
  reported(dataDirectory, () => lockDataDirectory(dataDirectory));
}

/** Makes what is wrong with the data folder or its store the end of the command. */
export function reported<T>(dataDirectory: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof StoreError || error instanceof HostLockError) {
      throw new CommandError(ExitCode.FAILURE, error.message);
    }
    const { NotFound, PermissionDenied, NotADirectory } = Deno.errors;
    const expected = [NotFound, PermissionDenied, NotADirectory];
    if (!expected.some((kind) => error instanceof kind)) throw error;
    const reason = (error as Error).message.replace(/ \(os error.*$/s, "");
    throw new CommandError(
      ExitCode.FAILURE,
      `Cannot use data folder "${dataDirectory}": ${reason}; name another with -c or --data-dir`,
    );
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
