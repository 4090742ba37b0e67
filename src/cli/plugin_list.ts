import { pluginViews } from "../host/plugin_views.ts";
import { findPlugins } from "../host/plugin_set.ts";
import { ExitCode } from "./exit_codes.ts";
import { printable, printJson, printTable } from "./output.ts";
import { pluginSettings } from "./plugin_settings.ts";
import type { PluginOptions } from "./program.ts";

/** `busbar plugin list`: what `run` would find. Refused plugins are listed too, and are no failure here. */
export async function listPlugins(options: PluginOptions): Promise<ExitCode> {
  const settings = await pluginSettings(options);
  const found = await findPlugins(settings, options.pluginDir);
  const views = pluginViews(found, { use: settings.use });
  if (options.json) {
    printJson(views);
    return ExitCode.OK;
  }
  await printTable(
    ["NAME", "VERSION", "STATE", "COMPONENTS", "PATH"],
    views.map(({ name, version, verdict, enabled, components, path }) => [
      printable(name),
      version ?? "-",
      !verdict.ok ? "refused" : enabled ? "ok" : "disabled",
      components.map(({ kind, name }) => `${kind} ${name}`).join(", ") || "-",
      path === null ? "-" : printable(path),
    ]),
  );
  for (const { message } of found.problems) console.error(`busbar: ${printable(message)}`);
  return ExitCode.OK;
}
