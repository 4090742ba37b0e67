import { join } from "node:path";
import { libc } from "../../ffi/libc.ts";
import { fileError } from "./errors.ts";

const O_RDWR_CREAT_CLOEXEC = 0o2 | 0o100 | 0o2000000;
const LOCK_EX_NB = 2 | 4;

/** Another host runs on the data folder. */
export class HostLockError extends Error {
  override readonly name = "HostLockError";
}

/**
 * Takes the data folder for this host, until the process ends, however it does: the system lets go of the lock itself.
 *
 * @throws {HostLockError} naming the process that has it
 * @throws {Deno.errors.NotFound} when there is no such folder
 * @throws {StoreError} when the lock's file cannot be written
 */
export function lockDataDirectory(dataDirectory: string): void {
  const path = join(dataDirectory, "host.pid");
  const write = (action: () => void) => {
    try {
      action();
    } catch (error) {
      const { NotFound, NotADirectory } = Deno.errors;
      if (error instanceof NotFound || error instanceof NotADirectory) throw error;
      throw fileError(error, "write", path);
    }
  };
  // Made by us first, so that the mode is right; the lock belongs to the open file, which stays open.
  write(() => Deno.openSync(path, { create: true, write: true, mode: 0o600 }).close());
  const fd = libc().open(new TextEncoder().encode(`${path}\0`), O_RDWR_CREAT_CLOEXEC);
  if (fd < 0) throw new Error(`Cannot open "${path}": check its permissions`);
  if (libc().flock(fd, LOCK_EX_NB) !== 0) {
    libc().close(fd);
    const holder = Deno.readTextFileSync(path).trim() || "unknown";
    throw new HostLockError(
      `Cannot use data folder "${dataDirectory}": the busbar with pid ${holder} uses it; stop that one, or set another data_dir`,
    );
  }
  write(() => Deno.writeTextFileSync(path, `${Deno.pid}\n`));
}
