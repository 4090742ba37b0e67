import type { MiddlewareHandler } from "hono";
import { apiError } from "./errors.ts";
import type { Actor } from "./control.ts";

/**
 * Lets only programs of this machine change things: there are no tokens, so nothing else tells an operator from anyone on the network. The
 * admin socket's file has permissions for that.
 */
export function localOnly(who: Actor): MiddlewareHandler {
  return async (context, next) => {
    if (who === "http" && !isLoopback(context.env?.remoteAddr)) {
      return apiError(context, 403, {
        code: "NotLocal",
        message: `Cannot ${context.req.method} "${context.req.path}" from another machine: ` +
          "ask from the machine that busbar runs on, or use its command line there",
      });
    }
    await next();
  };
}

function isLoopback(address: Deno.Addr | undefined): boolean {
  if (address === undefined || !("hostname" in address)) return false;
  return /^((::ffff:)?127(\.\d+){3}|::1)$/.test(address.hostname);
}
