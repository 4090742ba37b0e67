import { join } from "node:path";

/** The longest path of a socket, in bytes, without the NUL. */
const SOCKET_PATH_MAX = 107;
const NAME = "admin.sock";

/** Where the admin socket of a host on the data folder is, or would be. */
export function adminSocketPath(dataDirectory: string): string {
  const usual = join(dataDirectory, NAME);
  if (fits(usual)) return usual;
  try {
    return Deno.readTextFileSync(pointerPath(dataDirectory)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return usual;
    throw error;
  }
}

/**
 * A path for the admin socket of the host on the data folder: `admin.sock` in it. Where that is too long for a socket it is a new folder
 * under `/tmp` for this user alone, and the file `admin.sock.path` says where.
 */
export function claimAdminSocket(dataDirectory: string): { path: string; release: () => void } {
  const usual = join(dataDirectory, NAME);
  if (fits(usual)) return { path: usual, release() {} };
  const folder = Deno.makeTempDirSync({ dir: "/tmp", prefix: "busbar-" });
  const path = join(folder, NAME);
  Deno.writeTextFileSync(pointerPath(dataDirectory), `${path}\n`, { mode: 0o600 });
  return { path, release: () => Deno.removeSync(folder, { recursive: true }) };
}

function pointerPath(dataDirectory: string): string {
  return join(dataDirectory, `${NAME}.path`);
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= SOCKET_PATH_MAX;
}
