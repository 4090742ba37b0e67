/** What `scripts/bench components` measures. */

/** Bytes of an event's payload. */
export const PAYLOAD = 256;
/** Events of an HTTP request. */
export const BATCH = 1000;
/** Of each 1000 events so many pass the filter. */
const PASSING = 500;

/** Where events of a job come from: made by the program itself, from its standard input, or from requests. */
export type Feed = "own" | "stdin" | "http";

export interface Job {
  name: string;
  feed: Feed;
  /** What busbar is to reach, in events a second. */
  aim: number;
  /** Whether only a part of the events comes out. */
  filters: boolean;
}

export const JOBS: Job[] = [
  { name: "filter", feed: "own", aim: 500_000, filters: true },
  { name: "ingest", feed: "http", aim: 100_000, filters: false },
  { name: "lines", feed: "stdin", aim: 300_000, filters: true },
];

/** Paths and sizes of one run. */
export interface RunPlan {
  count: number;
  /** The file with the events of a job that is fed by standard input. */
  input?: string | undefined;
  /** The file that events go to. */
  output: string;
  /** A folder that the program may use. */
  folder: string;
  /** Of the loopback, for jobs that are fed by requests. */
  port: number;
}

/** busbar's configuration for a job. */
export function busbarConfig(job: Job, { count, output, folder, port }: RunPlan): unknown {
  const where = { use: "builtin/filter", config: { where: `payload.value < ${PASSING}` } };
  const file = { use: "builtin/file", config: { path: output } };
  const base = { data_dir: `${folder}/data`, server: { enabled: false } };
  const pipeline = (parts: Record<string, unknown>) => ({ ...base, pipelines: { bench: parts } });
  switch (job.feed) {
    case "own":
      return pipeline({
        sources: {
          in: { use: "builtin/generate", config: { count, json: true, payload_size: PAYLOAD } },
        },
        processors: { some: { ...where, from: "in" } },
        reactions: { out: { use: "builtin/stats", from: "some", config: { file: output } } },
      });
    case "http":
      return {
        ...pipeline({
          sources: {
            in: { use: "builtin/http", config: { format: "ndjson" }, buffer: { type: "disk" } },
          },
          reactions: { out: { ...file, from: "in" } },
        }),
        http: {
          listen: { port },
          routes: [{ path: "/events", method: "POST", source: "bench/in" }],
        },
      };
    case "stdin":
      return pipeline({
        sources: { in: { use: "builtin/stdin" } },
        processors: {
          parsed: { use: "builtin/parse", from: "in", config: { format: "json" } },
          some: { ...where, from: "parsed" },
        },
        reactions: { out: { ...file, from: "some" } },
      });
  }
}

/** How many events come out of a job. */
export function expectedCount(job: Job, count: number): number {
  return job.filters ? count * PASSING / 1000 : count;
}

/** Events `from` to `from + count` as lines of JSON; the values of each thousand are those from 0 to 999. */
export function eventLines(from: number, count: number): string {
  let text = "";
  for (let at = from; at < from + count; at++) {
    const head = `{"sequence":${at},"value":${at * 7 % 1000},"text":"`;
    text += head + "busbar ".repeat(40).slice(0, PAYLOAD - head.length - 2) + '"}\n';
  }
  return text;
}
