import { CommandError, ExitCode } from "./exit_codes.ts";
import type { HostOptions } from "./host_client.ts";

/** Options that choose dead letters. */
export interface FilterOptions extends HostOptions {
  component?: string;
  code?: string;
  source?: string;
  before?: string;
  after?: string;
}

/** The filter as the API takes it. @throws {CommandError} for a time that is none */
export function filterOf(options: FilterOptions): Record<string, string> {
  const { component, code, source } = options;
  const given = {
    component,
    code,
    source,
    before: isoTime("--before", options.before),
    after: isoTime("--after", options.after),
  };
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function isoTime(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new CommandError(
    ExitCode.USAGE,
    `Cannot read ${option} "${text}": expected a time such as 2026-11-20T18:25:00Z`,
  );
}

/** Path of a pipeline's dead letters in the API. */
export function lettersPath(pipeline: string): string {
  return `/api/v1/pipelines/${encodeURIComponent(pipeline)}/dead-letters`;
}
