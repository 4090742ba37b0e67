import type { PluginAction, PluginOutcome } from "../admin/control.ts";
import { ExitCode } from "./exit_codes.ts";
import { findHost, type HostOptions } from "./host_client.ts";
import { printable, printJson } from "./output.ts";

const DONE: Record<PluginAction, string> = {
  enable: "is enabled",
  disable: "is disabled",
  reload: "was reloaded",
  rollback: "went back",
};

/** `busbar enable|disable|reload|rollback NAME`. The first two also work on the stores of a host that does not run. */
export async function actOnPlugin(
  action: PluginAction,
  name: string,
  options: HostOptions,
): Promise<ExitCode> {
  const offline = action === "enable" || action === "disable";
  using host = await findHost(options, { offline });
  const path = `/api/v1/plugins/${encodeURIComponent(name)}/${action}`;
  const outcome = await host.request<PluginOutcome>(path, undefined, "POST");
  if (options.json) printJson(outcome);
  else console.log(printable(summary(action, outcome)));
  return ExitCode.OK;
}

function summary(
  action: PluginAction,
  { name, version, digest, pipelines }: PluginOutcome,
): string {
  const which = version === null || digest === null
    ? "; it has not been used on this data folder yet"
    : `: ${version}, ${digest.slice(0, 12)}`;
  const touched = pipelines.length > 0 ? `; pipelines: ${pipelines.join(", ")}` : "";
  return `Plugin "${name}" ${DONE[action]}${which}${touched}`;
}
