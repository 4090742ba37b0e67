import type { ComponentDescription, PluginDescription } from "./catalog.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { SettingError } from "./setting_error.ts";
import { type ConfigSource, formatPath, type Path } from "./source.ts";

type Json = Record<string, unknown>;

/** Has the plugin look at settings that fit the schema, where it can: at how they go together, and at what they say. */
export async function checkSettings(
  source: ConfigSource,
  config: Json,
  { plugin, component, locate }: {
    plugin: PluginDescription;
    component: ComponentDescription;
    locate: (keys: Path) => Path;
  },
): Promise<Diagnostic[]> {
  try {
    await plugin.check?.(component, config);
    return [];
  } catch (error) {
    const path = locate(error instanceof SettingError ? error.keys : []);
    return [source.diagnostic(path, `${(error as Error).message} (${formatPath(path)})`)];
  }
}
