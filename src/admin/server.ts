import { getLogger } from "@logtape/logtape";
import type { Hono } from "hono";
import { closeServer, LastingServer } from "../lasting_server.ts";
import { claimAdminSocket } from "./socket_path.ts";

/** The admin API on its socket. */
export interface AdminServer {
  /** `http://127.0.0.1:7700`: an address that reaches it from this machine; for a socket, its path. */
  address: string;
  /** Ends after the requests that are being answered, but does not wait long for them. */
  close(): Promise<void>;
}

/**
 * Serves the app. `port` 0 takes any free one.
 *
 * @throws {Error} saying which address cannot be had and why
 */
export function serveAdmin(app: Hono, options: { host: string; port: number }): AdminServer {
  const { host, port } = options;
  const hostname = host.replace(/^\[(.*)\]$/, "$1");
  let server: LastingServer;
  try {
    server = new LastingServer({ hostname, port }, {
      listen: ({ hostname, port }) => Deno.serve({ hostname, port, onListen() {} }, app.fetch),
      again: () =>
        getLogger(["busbar", "admin"]).error(
          "Nobody could connect to the admin API: too many files were open",
        ),
    });
  } catch (cause) {
    throw new Error(`Cannot listen on ${hostname}, port ${port}: ${reasonOf(cause)}`, { cause });
  }
  return { address: addressOf(server.addr), close: () => server.close() };
}

/**
 * Serves the app on the admin socket of the data folder, which must be locked for this host: a socket that is there belongs to a dead one.
 *
 * @throws {Error} saying why it cannot be had
 */
export function serveAdminSocket(app: Hono, dataDirectory: string): AdminServer {
  const { path, release } = claimAdminSocket(dataDirectory);
  let server: Deno.HttpServer<Deno.UnixAddr>;
  try {
    removeSocket(path);
    // The folder is this user's alone, so that nobody gets in before the mode is right.
    server = Deno.serve({ path, onListen() {} }, app.fetch);
    Deno.chmodSync(path, 0o600);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`Cannot listen on admin socket "${path}": ${message}`, { cause });
  }
  return {
    address: path,
    async close() {
      await closeServer(server);
      removeSocket(path);
      release();
    },
  };
}

function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "the port is in use; stop the other program, or choose another server.port (--port)";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; ports below 1024 need privileges, choose another server.port (--port)";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine does not have that address; set server.host (--host)";
  }
  return (error as Error).message.replace(/ \(os error.*$/s, "");
}

function addressOf({ hostname, port }: Deno.NetAddr): string {
  const here = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  return `http://${here.includes(":") ? `[${here}]` : here}:${port}`;
}
