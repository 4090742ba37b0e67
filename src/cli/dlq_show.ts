import { lettersPath } from "./dlq_filter.ts";
import { ExitCode } from "./exit_codes.ts";
import { findHost, type HostOptions } from "./host_client.ts";
import { printable, printFields, printJson } from "./output.ts";

/** `busbar dlq show PIPELINE ID`: one dead letter with its event. */
export async function showLetter(
  pipeline: string,
  id: string,
  options: HostOptions,
): Promise<ExitCode> {
  using host = await findHost(options, { offline: true });
  const path = `${lettersPath(pipeline)}/${encodeURIComponent(id)}`;
  const letter = await host.request<Record<string, unknown>>(path);
  if (options.json) printJson(letter);
  else {
    printFields(
      Object.entries(letter).map(([name, value]) => [
        name,
        printable(typeof value === "string" ? value : JSON.stringify(value)),
      ]),
    );
  }
  return ExitCode.OK;
}
