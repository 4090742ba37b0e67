import { ExitCode } from "./exit_codes.ts";
import { findHost, type HostOptions } from "./host_client.ts";
import { printJson, printTable } from "./output.ts";

interface Listed {
  id: string;
  status: string;
  desired: string;
  restarts: number;
  cells: { pid: number }[];
}

/** `busbar pipeline list`: the pipelines of a running host. */
export async function listPipelines(options: HostOptions): Promise<ExitCode> {
  using host = await findHost(options);
  const pipelines = await host.request<Listed[]>("/api/v1/pipelines");
  if (options.json) {
    printJson(pipelines);
    return ExitCode.OK;
  }
  await printTable(
    ["PIPELINE", "STATUS", "DESIRED", "RESTARTS", "PID"],
    pipelines.map(({ id, status, desired, restarts, cells }) => [
      id,
      status,
      desired,
      String(restarts),
      cells.map(({ pid }) => pid).join(", ") || "-",
    ]),
  );
  return ExitCode.OK;
}
