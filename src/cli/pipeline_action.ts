import type { PipelineAction, PipelineOutcome } from "../admin/control.ts";
import { ExitCode } from "./exit_codes.ts";
import { findHost, type HostOptions } from "./host_client.ts";
import { printJson } from "./output.ts";

/** `busbar pipeline start|stop|restart|pause|resume ID` */
export async function actOnPipeline(
  action: PipelineAction,
  id: string,
  options: HostOptions,
): Promise<ExitCode> {
  using host = await findHost(options);
  const path = `/api/v1/pipelines/${encodeURIComponent(id)}/${action}`;
  const outcome = await host.request<PipelineOutcome>(path, undefined, "POST");
  if (options.json) printJson(outcome);
  else console.log(`Pipeline "${outcome.id}" is ${outcome.status}`);
  return ExitCode.OK;
}
