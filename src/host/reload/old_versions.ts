import { join } from "node:path";
import { logText } from "../../log.ts";
import type { PluginCopy } from "./running_plan.ts";

/** How many versions besides the one in use stay there for a rollback. */
const KEPT = 5;

/** The versions of plugins that are noted. */
export interface NotedVersions {
  /** Forgets all but the newest `count`, and gives those. */
  keepVersions(plugin: string, count: number): PluginCopy[];
}

/**
 * Removes copies of the plugin that nothing can go back to any more: old versions, ones that never ran, and what a host left that
 * died while it copied. The one named `used` stays in any case. A failure is logged; the next time sees to it.
 */
export async function removeOldVersions(
  plugin: string,
  options: { dataDirectory: string; history: NotedVersions; used: string | undefined },
): Promise<void> {
  const { dataDirectory, history, used } = options;
  const home = join(dataDirectory, "plugins", plugin);
  try {
    const kept = new Set(history.keepVersions(plugin, KEPT + 1).map(({ digest }) => digest));
    for (const { name } of [...Deno.readDirSync(home)]) {
      if (name === used || kept.has(name)) continue;
      await Deno.remove(join(home, name), { recursive: true });
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    const text = `Cannot remove old versions of plugin "${plugin}" in "${home}": ` +
      (error as Error).message;
    logText(["busbar", "host"], "warning", { text, properties: { plugin } });
  }
}
