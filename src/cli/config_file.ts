import { loadConfig, type LoadedConfig } from "../config/load.ts";
import type { FlagOverride } from "../config/overrides.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import type { ConfigOptions } from "./program.ts";

/** Where a configuration is looked for when none is named. */
export const DEFAULT_FILES = ["busbar.yaml", "/etc/busbar/busbar.yaml"];

/**
 * Reads the configuration that `-c` names, else the first of {@linkcode DEFAULT_FILES}.
 *
 * @throws {ConfigError} with all that is wrong with it
 * @throws {CommandError} where there is none
 */
export async function readConfig(
  options: Pick<ConfigOptions, "config"> & Partial<Pick<ConfigOptions, "set">>,
  overrides: FlagOverride[] = [],
): Promise<LoadedConfig> {
  const path = options.config ?? defaultFile();
  if (path === undefined) {
    const places = DEFAULT_FILES.map((file) => `"${file}"`).join(" nor ");
    throw new CommandError(
      ExitCode.USAGE,
      `Cannot find a configuration: neither ${places} exists; name one with -c FILE`,
    );
  }
  return await loadConfig({ path, env: Deno.env.toObject(), sets: options.set ?? [], overrides });
}

/** The default configuration that is there, if one is. */
export function defaultFile(): string | undefined {
  return DEFAULT_FILES.find((file) => {
    try {
      Deno.statSync(file);
      return true;
    } catch (error) {
      // One that is there, but cannot be reached, is an error of its own when it is read.
      return !(error instanceof Deno.errors.NotFound);
    }
  });
}
