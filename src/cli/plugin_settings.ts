import { ConfigError, formatDiagnostic } from "../config/diagnostic.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { defaultFile, readConfig } from "./config_file.ts";
import { hasColour } from "./output.ts";
import type { PluginOptions } from "./program.ts";

/**
 * `plugins` of the configuration that `-c` names, else of the default one, else as without any. A default one that is broken is
 * only warned about, since nobody asked for it.
 */
export async function pluginSettings(
  options: Pick<PluginOptions, "config">,
): Promise<Config["plugins"]> {
  if (options.config === undefined && defaultFile() === undefined) return await defaults();
  try {
    return (await readConfig(options)).config.plugins;
  } catch (error) {
    if (!(error instanceof ConfigError) || options.config !== undefined) throw error;
    const [first] = error.diagnostics;
    if (first) console.error(formatDiagnostic(first, { colour: hasColour(Deno.stderr) }));
    console.error(`busbar: ${error.message}; going on without it`);
    return await defaults();
  }
}

async function defaults(): Promise<Config["plugins"]> {
  return (await loadConfig({ env: {} })).config.plugins;
}
