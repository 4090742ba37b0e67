import type { MiddlewareHandler } from "hono";
import { apiError } from "./errors.ts";

const WILDCARDS = ["0.0.0.0", "[::]"];

/**
 * Refuses requests that a web page could have sent behind its user's back: the Host must be a name of this host, against a
 * foreign name that was made to point here, and an Origin must be this server itself.
 *
 * @param bound the address the server listens on, as `server.host` gives it
 */
export function guard(bound: string): MiddlewareHandler {
  return async (context, next) => {
    const host = parseHost(context.req.header("host") ?? new URL(context.req.url).host);
    if (host === undefined || !isOwnName(host.hostname, bound)) {
      return apiError(context, 421, {
        code: "WrongHost",
        message: `Cannot answer for host "${context.req.header("host") ?? ""}": use localhost or ` +
          "the address that busbar listens on",
      });
    }
    const origin = context.req.header("origin");
    if (origin !== undefined && !isSameOrigin(origin, host)) {
      return apiError(context, 403, {
        code: "WrongOrigin",
        message: `Cannot answer a page of "${origin}": only pages of this server may ask`,
      });
    }
    await next();
  };
}

/** Whether `hostname`, in the form a URL has it, stands for a server that listens on `bound`. */
export function isOwnName(hostname: string, bound: string): boolean {
  if (hostname === "localhost" || hostname === "[::1]" || isLoopback(hostname)) return true;
  const own = parseHost(bound.includes(":") && !bound.startsWith("[") ? `[${bound}]` : bound)
    ?.hostname;
  if (own === undefined) return false;
  if (!WILDCARDS.includes(own)) return hostname === own;
  // It listens on every address of the machine. An address cannot be made to point elsewhere, a name can.
  return isAddress(hostname) || hostname === Deno.hostname().toLowerCase();
}

function isLoopback(hostname: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function isAddress(hostname: string): boolean {
  return hostname.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);
}

function isSameOrigin(origin: string, host: URL): boolean {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.host === host.host;
}

/** What a Host header names: a host and perhaps a port, nothing else. */
function parseHost(text: string): URL | undefined {
  if (!/^[A-Za-z0-9._:[\]-]+$/.test(text)) return undefined;
  const url = `http://${text.toLowerCase()}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}
