import { accessSync, constants } from "node:fs";
import { isAbsolute, join } from "node:path";

const SYSTEM_FOLDER = "/var/lib/busbar";

interface Machine {
  uid?: number | null;
  systemFolder?: string;
}

/**
 * Where data goes when nothing else is said: `/var/lib/busbar` for root or whoever may write there,
 * else `$XDG_STATE_HOME/busbar`, else `~/.local/state/busbar`.
 */
export function defaultDataDir(
  env: Readonly<Record<string, string | undefined>>,
  { uid = Deno.uid(), systemFolder = SYSTEM_FOLDER }: Machine = {},
): string {
  if (uid === 0 || isWritable(systemFolder)) return systemFolder;
  const state = env["XDG_STATE_HOME"];
  // The XDG rules say that a relative one does not count.
  if (state !== undefined && isAbsolute(state)) return join(state, "busbar");
  return join(env["HOME"] ?? Deno.cwd(), ".local", "state", "busbar");
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
