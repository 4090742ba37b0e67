/**
 * The benchmark of the built-in components: whole pipelines without native code, and the same jobs in other programs that are on
 * PATH. See docs/benchmarks.md.
 *
 *   scripts/bench components [--json FILE] [--quick] [--job NAME] [--busbar FILE]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { main, PROJECT, statOrNothing } from "../../scripts/lib/files.ts";
import {
  BATCH,
  busbarConfig,
  eventLines,
  expectedCount,
  type Job,
  JOBS,
  PAYLOAD,
  type RunPlan,
} from "./lib/component_jobs.ts";
import {
  countLines,
  type Program,
  timeOfRequests,
  timeToEnd,
  timeToLines,
} from "./lib/component_run.ts";
import { median } from "./lib/median.ts";
import { findPeers } from "./lib/peers.ts";

/** One line of the result. */
interface Row {
  job: string;
  payload: number;
  /** Of busbar; the median of {@linkcode RUNS}. */
  events_per_second: number;
  aim: number;
  /** Others that did the job, or failed at it. */
  peers: Record<string, PeerResult>;
}

/** `ratio`: busbar's events for each of the other's; more than 1 where busbar is faster. */
type PeerResult = { events_per_second: number; ratio: number } | { error: string };

/** Gives what runs a plan, having written its configuration; undefined where the program cannot do the job. */
type Contestant = (job: Job, plan: RunPlan) => Promise<Runner | undefined>;

interface Runner {
  program: Program;
  /** Whether it reads the input's file itself, and does not end behind it. */
  stays: boolean;
}

const RUNS = 5;
/** A peer that took so long for a job has no more turns, so that a slow one does not hold up everyone. */
const PEER_SECONDS = 60;
const COUNTS: Record<Job["feed"], number> = { own: 1_500_000, http: 300_000, stdin: 1_000_000 };
const QUICK_PART = 0.2;
/** The part of the events that warms up, and is not counted. */
const WARM_UP = 0.2;

const USAGE = `Usage: scripts/bench components [options]
  --json FILE    write the rows to FILE
  --quick        move fewer events
  --job NAME     only this job (${JOBS.map(({ name }) => name).join(", ")})
  --busbar FILE  measure this program instead of dist/busbar`;

await main("bench components", async () => {
  const { values: options } = parseArgs({
    options: {
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      job: { type: "string" },
      busbar: { type: "string", default: join(PROJECT, "dist/busbar") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (options.help) return console.log(USAGE);
  const jobs = JOBS.filter(({ name }) => options.job === undefined || name === options.job);
  if (jobs.length === 0) {
    const names = JOBS.map(({ name }) => name).join(", ");
    throw new Error(`Cannot use --job "${options.job}": the jobs are ${names}`);
  }
  if (!await statOrNothing(options.busbar)) {
    throw new Error(
      `Cannot measure "${options.busbar}": it does not exist, run scripts/build first`,
    );
  }
  const contestants: Record<string, Contestant> = {
    busbar: busbarContestant(await Deno.realPath(options.busbar)),
  };
  for (const { peer, path } of await findPeers()) {
    contestants[peer.name] = async (job, plan) => {
      const peerPlan = peer.plan(job, plan);
      if (peerPlan === undefined) return undefined;
      const config = join(plan.folder, peerPlan.file);
      await Deno.writeTextFile(config, peerPlan.config);
      return { program: [path, ...peerPlan.args, config], stays: peerPlan.stays ?? false };
    };
  }
  const parent = join(PROJECT, "dist/bench");
  await Deno.mkdir(parent, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: parent });
  try {
    const rows: Row[] = [];
    for (const job of jobs) {
      const count = COUNTS[job.feed] * (options.quick ? QUICK_PART : 1);
      const row = await measureJob(job, { count, folder, contestants });
      printRow(row);
      rows.push(row);
    }
    if (options.json !== undefined) {
      await Deno.writeTextFile(options.json, JSON.stringify(rows, rounded, 2) + "\n");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function busbarContestant(binary: string): Contestant {
  return async (job, plan) => {
    const config = join(plan.folder, "busbar.yaml");
    await Deno.writeTextFile(config, stringify(busbarConfig(job, plan)));
    const untilDone = job.feed === "http" ? [] : ["--until-done"];
    return { program: [binary, "run", "-c", config, ...untilDone], stays: false };
  };
}

/** All that can do the job take turns, so that the machine's noise hits all of them. */
async function measureJob(
  job: Job,
  { count, folder, contestants }: {
    count: number;
    folder: string;
    contestants: Record<string, Contestant>;
  },
): Promise<Row> {
  const inputs = job.feed === "stdin" ? await writeInputs(folder, count) : {};
  const rates: Record<string, number[]> = {};
  const errors: Record<string, string> = {};
  const spent: Record<string, number> = {};
  for (let run = 0; run < RUNS; run++) {
    for (const [name, contestant] of Object.entries(contestants)) {
      if (name in errors || name !== "busbar" && (spent[name] ?? 0) > PEER_SECONDS) continue;
      const started = performance.now();
      try {
        const seconds = await timeOfRun(job, { contestant, count, folder, inputs });
        if (seconds !== undefined) (rates[name] ??= []).push(count * (1 - WARM_UP) / seconds);
      } catch (error) {
        if (name === "busbar") throw error;
        errors[name] = (error as Error).message;
        delete rates[name];
      }
      spent[name] = (spent[name] ?? 0) + (performance.now() - started) / 1000;
    }
  }
  const { busbar, ...others } = rates;
  const own = median(busbar!);
  const peers: Record<string, PeerResult> = {};
  for (const [name, values] of Object.entries(others)) {
    const rate = median(values);
    peers[name] = { events_per_second: rate, ratio: own / rate };
  }
  for (const [name, error] of Object.entries(errors)) peers[name] = { error };
  return {
    job: job.name,
    payload: PAYLOAD,
    events_per_second: own,
    aim: job.aim,
    peers,
  };
}

/** Files by their number of events: all, and those of the warm-up. */
async function writeInputs(folder: string, count: number): Promise<Record<number, string>> {
  const inputs: Record<number, string> = {};
  for (const events of [count, count * WARM_UP]) {
    const path = inputs[events] = join(folder, `input_${events}`);
    using file = await Deno.open(path, { write: true, create: true, truncate: true });
    const writer = file.writable.getWriter();
    for (let at = 0; at < events; at += BATCH) {
      await writer.write(new TextEncoder().encode(eventLines(at, BATCH)));
    }
    writer.releaseLock();
  }
  return inputs;
}

/** Seconds for the events behind the warm-up; undefined where the contestant cannot do the job. */
async function timeOfRun(
  job: Job,
  { contestant, count, folder, inputs }: {
    contestant: Contestant;
    count: number;
    folder: string;
    inputs: Record<number, string>;
  },
): Promise<number | undefined> {
  const warmUp = count * WARM_UP;
  if (job.feed === "http") {
    return await withRunFolder(folder, async (own) => {
      const port = freePort();
      const output = join(own, "output");
      const runner = await contestant(job, { count, output, folder: own, port });
      const url = `http://127.0.0.1:${port}/events`;
      return runner &&
        await timeOfRequests(runner.program, { url, warmUp, count: count - warmUp, output });
    });
  }
  // A whole run, less one of the warm-up alone: so start and end are not counted.
  const times: number[] = [];
  for (const events of [count, warmUp]) {
    const seconds = await withRunFolder(folder, async (own) => {
      const output = join(own, "output");
      const input = inputs[events];
      const plan = { count: events, input, output, folder: own, port: 0 };
      const runner = await contestant(job, plan);
      if (runner === undefined) return undefined;
      const { program, stays } = runner;
      const seconds = stays
        ? await timeToLines(program, { output, lines: expectedCount(job, events) })
        : await timeToEnd(program, input);
      await checkOutput(job, plan);
      return seconds;
    });
    if (seconds === undefined) return undefined;
    times.push(seconds);
  }
  return times[0]! - times[1]!;
}

async function withRunFolder<T>(
  parent: string,
  action: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir({ dir: parent, prefix: "run_" });
  try {
    return await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Throws where not all events came out that had to. */
async function checkOutput(job: Job, { count, output }: RunPlan): Promise<void> {
  const expected = expectedCount(job, count);
  const found = job.feed === "own"
    ? JSON.parse(await Deno.readTextFile(output)).events
    : await countLines(output);
  // The values that busbar makes up itself are by chance.
  const tolerance = job.feed === "own" ? expected / 50 : 0;
  if (Math.abs(found - expected) > tolerance) {
    throw new Error(`Cannot use the run: ${found} events came out, expected ${expected}`);
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function printRow({ job, payload, events_per_second, aim, peers }: Row): void {
  const rate = (value: number) => `${Math.round(value / 1000)}k/s`;
  const others = Object.entries(peers).map(([name, peer]) =>
    "error" in peer
      ? `\n  ${name}: ${peer.error}`
      : `  ${name} ${rate(peer.events_per_second)} (ratio ${peer.ratio.toFixed(2)})`
  );
  const missed = events_per_second < aim ? `  below ${rate(aim)}` : "";
  console.log(
    `${job.padEnd(8)} ${payload} bytes ${rate(events_per_second).padStart(8)}${missed}` +
      others.join(""),
  );
}

/** Three decimals are more than the clock is worth. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}
