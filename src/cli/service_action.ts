import type { PipelineOutcome, ServiceAction } from "../admin/control.ts";
import { ExitCode } from "./exit_codes.ts";
import { findHost, type HostOptions } from "./host_client.ts";
import { printJson } from "./output.ts";

/** `busbar service start|stop|restart ID` */
export async function actOnService(
  action: ServiceAction,
  id: string,
  options: HostOptions,
): Promise<ExitCode> {
  using host = await findHost(options);
  const path = `/api/v1/services/${encodeURIComponent(id)}/${action}`;
  const outcome = await host.request<PipelineOutcome>(path, undefined, "POST");
  if (options.json) printJson(outcome);
  else {console.log(
      `${id.startsWith("hook:") ? "Hook" : "Service"} "${outcome.id}" is ${outcome.status}`,
    );}
  return ExitCode.OK;
}
