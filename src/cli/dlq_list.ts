import { filterOf, type FilterOptions, lettersPath } from "./dlq_filter.ts";
import { ExitCode } from "./exit_codes.ts";
import { findHost, type HostClient } from "./host_client.ts";
import { printable, printJson, printTable } from "./output.ts";

export interface ListOptions extends FilterOptions {
  limit: number;
  offset: number;
}

interface Letter {
  pipeline: string;
  id: string;
  at: string;
  component: string;
  code: string;
  attempts: number;
  source: string;
  sequence: number;
  error: string;
  replaying: boolean;
}

/** `busbar dlq list`: the dead letters of one pipeline or of all, oldest first. */
export async function listLetters(
  pipeline: string | undefined,
  options: ListOptions,
): Promise<ExitCode> {
  using host = await findHost(options, { offline: true });
  const pipelines = pipeline === undefined ? await allPipelines(host) : [pipeline];
  const query = new URLSearchParams({
    ...filterOf(options),
    limit: `${options.limit}`,
    offset: `${options.offset}`,
  });
  const letters: Letter[] = [];
  let total = 0;
  for (const id of pipelines) {
    const answer = await host.request<{ total: number; letters: Letter[] }>(
      `${lettersPath(id)}?${query}`,
    );
    total += answer.total;
    letters.push(...answer.letters.map((letter) => ({ ...letter, pipeline: id })));
  }
  if (options.json) printJson({ total, letters });
  else await print(letters, total);
  return ExitCode.OK;
}

async function allPipelines(host: HostClient): Promise<string[]> {
  const pipelines = await host.request<{ id: string }[]>("/api/v1/pipelines");
  return pipelines.map(({ id }) => id);
}

async function print(letters: Letter[], total: number): Promise<void> {
  if (total === 0) return console.log("No dead letters");
  await printTable(
    ["PIPELINE", "ID", "TIME", "COMPONENT", "CODE", "ATTEMPTS", "SOURCE", "SEQUENCE", "ERROR"],
    letters.map((letter) => [
      letter.pipeline,
      letter.id,
      letter.at,
      letter.component,
      letter.replaying ? `${letter.code}, replaying` : letter.code,
      String(letter.attempts),
      letter.source,
      String(letter.sequence),
      printable(letter.error),
    ]),
  );
  if (letters.length < total) console.error(`busbar: ${letters.length} of ${total} are shown`);
}
