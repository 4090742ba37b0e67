import { join } from "node:path";

/** The longest path of a socket, in bytes, without the NUL. */
const SOCKET_PATH_MAX = 107;
const LONGEST_NAME = "/4194304-1000000.sock";

/** Makes paths for the sockets of a host's cells. */
export interface SocketFolder {
  /** A path that no other socket has. */
  next(): string;
  /** Removes the folder if it was made for this host alone. */
  remove(): void;
}

/**
 * `<dataDirectory>/sockets`, for this user alone; a folder under `$XDG_RUNTIME_DIR` or `/tmp` where that path would be too
 * long for a socket. Sockets that dead hosts left behind are removed.
 */
export function socketFolder(dataDirectory: string): SocketFolder {
  const usual = join(dataDirectory, "sockets");
  const path = fits(usual) ? usual : shortFolder();
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  Deno.chmodSync(path, 0o700);
  removeStale(path);
  let count = 0;
  return {
    next: () => join(path, `${Deno.pid}-${count++ % 1_000_000}.sock`),
    remove() {
      if (path !== usual) Deno.removeSync(path, { recursive: true });
    },
  };
}

function fits(folder: string): boolean {
  return new TextEncoder().encode(folder + LONGEST_NAME).length <= SOCKET_PATH_MAX;
}

function shortFolder(): string {
  const runtime = Deno.env.get("XDG_RUNTIME_DIR");
  const roots = runtime !== undefined && fits(join(runtime, "busbar-12345678"))
    ? [runtime, "/tmp"]
    : ["/tmp"];
  for (const dir of roots) {
    try {
      return Deno.makeTempDirSync({ dir, prefix: "busbar-" });
    } catch {
      // The next one, then.
    }
  }
  throw new Error(
    "Cannot make a folder for sockets: the path of data_dir is too long for them, and /tmp is not writable; " +
      "choose a shorter data_dir",
  );
}

function removeStale(folder: string): void {
  for (const { name } of Deno.readDirSync(folder)) {
    const pid = /^(\d+)-\d+\.sock$/.exec(name)?.[1];
    if (pid === undefined || (pid !== `${Deno.pid}` && isAlive(pid))) continue;
    try {
      Deno.removeSync(join(folder, name));
    } catch {
      // Someone else removed it.
    }
  }
}

function isAlive(pid: string): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}
