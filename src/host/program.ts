import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where this program's file lies, which plugins and `build.lock` are looked for beside. Run from sources, it is where the
 * build puts it.
 */
export function programPath(): string {
  if (Deno.build.standalone) return Deno.execPath();
  return join(fileURLToPath(new URL("../..", import.meta.url)), "dist", "busbar");
}
