import type { Hono } from "hono";

/** The admin API on its socket. */
export interface AdminServer {
  /** `http://127.0.0.1:7700`: an address that reaches it from this machine. */
  address: string;
  /** Ends after the requests that are being answered, but does not wait long for them. */
  close(): Promise<void>;
}

const CLOSE_MS = 1_000;

/**
 * Serves the app. `port` 0 takes any free one.
 *
 * @throws {Error} saying which address cannot be had and why
 */
export function serveAdmin(app: Hono, options: { host: string; port: number }): AdminServer {
  const { host, port } = options;
  const hostname = host.replace(/^\[(.*)\]$/, "$1");
  const abort = new AbortController();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ hostname, port, signal: abort.signal, onListen() {} }, app.fetch);
  } catch (cause) {
    throw new Error(`Cannot listen on ${hostname}, port ${port}: ${reasonOf(cause)}`, { cause });
  }
  return {
    address: addressOf(server.addr),
    async close() {
      const timer = setTimeout(() => abort.abort(), CLOSE_MS);
      await server.shutdown();
      await server.finished;
      clearTimeout(timer);
    },
  };
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
