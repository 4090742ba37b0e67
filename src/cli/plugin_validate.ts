import { findPlugins, pluginRules } from "../host/plugin_set.ts";
import { validatePlugin, type Validation } from "../host/validate.ts";
import { PluginError } from "../plugin/errors.ts";
import { type GoodInspection, inspectPlugin, requireGood } from "../plugin/inspect.ts";
import type { Config } from "../config/schema.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { paint, printable, printJson } from "./output.ts";
import { pluginSettings } from "./plugin_settings.ts";
import type { LoadOptions } from "./program.ts";

/** `busbar plugin validate`: loads what inspection accepts, where it can do no harm. */
export async function validate(name: string, options: LoadOptions): Promise<ExitCode> {
  const settings = await pluginSettings(options);
  let result: Validation;
  let plugin: GoodInspection | undefined;
  try {
    plugin = await find(name, settings, options);
    const { preload } = await pluginRules(settings);
    result = await validatePlugin(plugin, { preload, timeoutMs: options.timeout * 1000 });
  } catch (error) {
    if (!options.json || !(error instanceof PluginError)) throw error;
    const { code, message } = error;
    result = { ok: false, problem: { code, message }, components: [], output: "" };
  }
  if (options.json) printJson({ plugin: plugin?.name ?? name, ...result });
  else if (result.ok) {
    const list = result.components.map(({ kind, name }) => `${kind} ${name}`).join(", ");
    console.log(`${paint("ok", "green")}: ${plugin?.name}: ${list}`);
  } else {
    if (result.output !== "") console.error(`It printed:\n${result.output.trimEnd()}`);
    console.error(`busbar: ${printable(result.problem?.message ?? "")}`);
  }
  return result.ok ? ExitCode.OK : ExitCode.FAILURE;
}

/** A path has a slash or is there; everything else is a name. */
async function find(
  name: string,
  settings: Config["plugins"],
  options: LoadOptions,
): Promise<GoodInspection> {
  const isPath = name.includes("/") || await Deno.stat(name).then(() => true, () => false);
  if (isPath) {
    const rules = await pluginRules(settings);
    return requireGood(await inspectPlugin(name, rules.inspect));
  }
  const { plugins, refused, directories } = await findPlugins(settings, options.pluginDir);
  const refusal = refused.find((plugin) => plugin.name === name);
  const found = plugins.find((plugin) => plugin.name === name) ?? (refusal && requireGood(refusal));
  if (found !== undefined) return found;
  throw new CommandError(
    ExitCode.FAILURE,
    `Cannot find plugin "${name}" in ${directories.map((folder) => `"${folder}"`).join(", ")}`,
  );
}
