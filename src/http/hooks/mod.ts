/**
 * The built-in hooks by kind and name, a line each. They run in the host, and each is loaded when it is used.
 * `scripts/build --builtins` leaves out those that are not wanted.
 */
import type { HttpHook } from "../exchange.ts";

type HookFactory = (config: Record<string, unknown>) => HttpHook | Promise<HttpHook>;

export const HOOK_FACTORIES: Record<string, () => Promise<HookFactory>> = {
  "hook/auth": async () => (await import("./auth.ts")).auth,
  "hook/cors": async () => (await import("./cors.ts")).cors,
  "hook/rate-limit": async () => (await import("./rate_limit.ts")).rateLimit,
};

/** Makes a built-in hook. @throws {Error} for settings that cannot be used */
export async function makeHook(
  { builtin, config }: { builtin: string; config: Record<string, unknown> },
): Promise<HttpHook> {
  const load = HOOK_FACTORIES[`hook/${builtin}`];
  if (load === undefined) throw new Error(`there is no "builtin/${builtin}"`);
  return (await load())(config);
}
