import { filterOf, type FilterOptions, lettersPath } from "./dlq_filter.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { findHost } from "./host_client.ts";
import { printJson } from "./output.ts";

export interface ChangeOptions extends FilterOptions {
  all?: boolean;
  yes?: boolean;
}

const DONE = { replay: "to be replayed", drop: "dropped" };

/** `busbar dlq replay|drop PIPELINE [ID …]`: those with an id, that a filter matches, or all. */
export async function changeLetters(
  action: "replay" | "drop",
  chosen: { pipeline: string; ids: string[] },
  options: ChangeOptions,
): Promise<ExitCode> {
  const { pipeline, ids } = chosen;
  const body = {
    ...filterOf(options),
    ...ids.length > 0 ? { ids } : {},
    ...options.all ? { all: true } : {},
  };
  if (Object.keys(body).length === 0) {
    throw new CommandError(
      ExitCode.USAGE,
      `Cannot ${action} dead letters: name their ids, a filter, or --all`,
    );
  }
  using host = await findHost(options, { offline: true });
  if (action === "drop" && !options.yes && !confirmed(pipeline, body)) {
    throw new CommandError(ExitCode.FAILURE, "Nothing was dropped");
  }
  const path = `${lettersPath(pipeline)}/${action}`;
  const { count } = await host.request<{ count: number }>(path, body, "POST");
  if (options.json) printJson({ count });
  else console.log(`${count} dead letter${count === 1 ? "" : "s"} ${DONE[action]}`);
  return ExitCode.OK;
}

/** Only somebody can be asked who sits at a terminal. */
function confirmed(pipeline: string, { all, ...filter }: Record<string, unknown>): boolean {
  if (!Deno.stdin.isTerminal()) return true;
  const which = all && Object.keys(filter).length === 0 ? "all" : JSON.stringify(filter);
  return confirm(`Drop dead letters of pipeline "${pipeline}" for good (${which})?`);
}
