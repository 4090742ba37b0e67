import { ExitCode } from "./exit_codes.ts";
import { findHost, type HostOptions } from "./host_client.ts";
import { printJson, printTable } from "./output.ts";

interface Listed {
  id: string;
  kind: string;
  plugin: string;
  component: string;
  status: string;
  desired: string;
  restarts: number;
  cells: { pid: number }[];
}

/** `busbar service list`: the services and hooks of a running host. */
export async function listServices(options: HostOptions): Promise<ExitCode> {
  using host = await findHost(options);
  const services = await host.request<Listed[]>("/api/v1/services");
  if (options.json) {
    printJson(services);
    return ExitCode.OK;
  }
  await printTable(
    ["SERVICE", "COMPONENT", "STATUS", "DESIRED", "RESTARTS", "PID"],
    services.map(({ id, kind, plugin, component, status, desired, restarts, cells }) => [
      // As the other commands name it.
      kind === "http hook" ? `hook:${id}` : id,
      `${plugin}/${component}`,
      status,
      desired,
      String(restarts),
      cells.map(({ pid }) => pid).join(", ") || "-",
    ]),
  );
  return ExitCode.OK;
}
