/**
 * The soak run: a busbar under full load, and everything that may happen to it; then a program that knows nothing of busbar
 * says from the raw files what was lost. See docs/reliability.md.
 *
 *   scripts/soak [--minutes N] [--seed S] [--json FILE] [--out DIR]
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { main, PROJECT } from "../../scripts/lib/files.ts";
import { ALL_FAULTS } from "./faults/all.ts";
import { mountDisk, unmountDisk } from "./faults/disk.ts";
import type { Fault, Scene } from "./faults/fault.ts";
import { replayLetters } from "./faults/reactions.ts";
import { Chaos } from "./lib/chaos.ts";
import type { Verdict } from "./lib/expectation.ts";
import { SoakHost } from "./lib/host.ts";
import { SoakPlugin } from "./lib/plugins.ts";
import { until } from "./lib/processes.ts";
import { Random } from "./lib/random.ts";
import { finish, judge, makePlaces, startFeeder } from "./lib/rig.ts";
import { configuration, expectation, type Rates } from "./lib/settings.ts";

const RATES: Rates = { numbers: 1500, port: 1000 };
const DISK_BYTES = 640 * 1024 * 1024;
/** What a run of a minute and more has to reach. */
const LEAST_A_MINUTE = { events: 100_000, faults: 20 };
const START_MS = 60_000;

const USAGE = `Usage: scripts/soak [options]
  --minutes N     how long there are faults; 0.5 is half a minute (default 2)
  --seed S        which faults, and when (default 1)
  --json FILE     write the result to FILE as well
  --out DIR       keep raw files and logs there; DIR has to be new or empty
  --faults LIST   only these kinds, with commas between them
  --busbar FILE   the binary to try (default dist/busbar)
`;

interface Options {
  minutes: number;
  seed: number;
  json: string | undefined;
  out: string | undefined;
  faults: string[] | undefined;
  busbar: string;
}

/** What a run prints. */
interface Result extends Omit<Verdict, "problems"> {
  faults: Record<string, number>;
  reloads: number;
  longest_gap_ms: number;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      minutes: { type: "string", default: "2" },
      seed: { type: "string", default: "1" },
      json: { type: "string" },
      out: { type: "string" },
      faults: { type: "string" },
      busbar: { type: "string", default: join(PROJECT, "dist/busbar") },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  if (!(minutes > 0)) {
    throw new Error(`Cannot run for "${values.minutes}" minutes: give a number above 0`);
  }
  if (!Number.isSafeInteger(seed)) {
    throw new Error(`Cannot use seed "${values.seed}": give a whole number`);
  }
  const { json, out, faults, busbar } = values;
  return { minutes, seed, json, out, faults: faults?.split(","), busbar: resolve(busbar) };
}

/** The faults that were asked for and can be had here; says which cannot. */
async function chooseFaults(scene: Scene, only: string[] | undefined): Promise<Fault[]> {
  const unknown = only?.find((kind) => !ALL_FAULTS.some((fault) => fault.kind === kind));
  if (unknown !== undefined) {
    const known = ALL_FAULTS.map(({ kind }) => kind).join(", ");
    throw new Error(`Cannot bring about "${unknown}": there are ${known}`);
  }
  const chosen: Fault[] = [];
  for (const fault of ALL_FAULTS) {
    if (only !== undefined && !only.includes(fault.kind)) continue;
    const why = await fault.unavailable?.(scene);
    if (why === undefined) chosen.push(fault);
    else console.error(`soak: without ${fault.kind}: ${why}`);
  }
  return chosen;
}

/** Runs it; what was found, and everything that must not be. */
async function soak(options: Options, folder: string): Promise<[Result, problems: string[]]> {
  const problems: string[] = [];
  const random = new Random(options.seed);
  const places = await makePlaces(folder, { random: random.fork(), expected: expectation() });
  const plugin = await SoakPlugin.build(folder);
  const config = join(folder, "busbar.yaml");
  const configure = async (change: Parameters<Scene["configure"]>[0]) => {
    await Deno.writeTextFile(`${config}.new`, configuration(places, RATES, change));
    await Deno.rename(`${config}.new`, config);
  };
  await configure({ generation: 0 });
  using chaosLog = Deno.openSync(join(folder, "chaos.log"), { create: true, append: true });
  const mounted = await mountDisk(places.disk, DISK_BYTES);
  try {
    await using host = new SoakHost(options.busbar, config, folder);
    const scene: Scene = {
      host,
      plugin,
      places,
      diskBytes: mounted ? DISK_BYTES : undefined,
      longestGap: 0,
      reloads: 0,
      configure,
      log: (text) =>
        void chaosLog.writeSync(
          new TextEncoder().encode(`${new Date().toISOString()} ${text}\n`),
        ),
      problem: (text) => void problems.push(text),
    };
    await host.start();
    if (host.surprises.length > 0) throw new Error(`Cannot begin: ${host.surprises[0]}`);
    const feeder = startFeeder(places, RATES.port);
    if (!await until(() => host.ready(), START_MS)) problems.push("the pipelines do not start");
    const chaos = new Chaos(scene, { faults: await chooseFaults(scene, options.faults), random });
    // A run that is interrupted ends as any other, only sooner: nothing stays mounted or running.
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => chaos.stop());
    }
    await chaos.run(options.minutes * 60_000);
    await until(() => host.ready(), START_MS);
    if (!await replayLetters(host, START_MS)) problems.push("dead letters are left");
    await finish(places, { host, feeder });
    problems.push(...host.surprises);
    const verdict = await judge(places.raw);
    problems.push(...verdict.problems);
    const { events, lost, duplicates, reordered } = verdict;
    const { reloads, longestGap: longest_gap_ms } = scene;
    return [
      { events, faults: chaos.counts, lost, duplicates, reordered, reloads, longest_gap_ms },
      problems,
    ];
  } finally {
    if (mounted) await unmountDisk(places.disk);
  }
}

/** Where a run of this length fell short of what makes it worth anything. */
function shortfalls({ events, faults }: Result, { minutes, faults: only }: Options): string[] {
  if (minutes < 1 || only !== undefined) return [];
  const struck = Object.values(faults).reduce((sum, count) => sum + count, 0);
  return [
    ...(events < LEAST_A_MINUTE.events * minutes ? [`only ${events} events`] : []),
    ...(struck < LEAST_A_MINUTE.faults * minutes ? [`only ${struck} faults`] : []),
  ];
}

if (import.meta.main) {
  await main("soak", async () => {
    const options = readOptions();
    if (options === undefined) return console.log(USAGE);
    const folder = options.out === undefined
      ? await Deno.makeTempDir({ prefix: "busbar_soak_" })
      : resolve(options.out);
    await Deno.mkdir(folder, { recursive: true });
    if ([...Deno.readDirSync(folder)].length > 0) {
      throw new Error(`Cannot keep the raw files in "${folder}": it is not empty`);
    }
    const [result, problems] = await soak(options, folder);
    problems.push(...shortfalls(result, options));
    for (const problem of problems) console.error(`soak: ${problem}`);
    if (options.json !== undefined) {
      await Deno.writeTextFile(options.json, JSON.stringify(result) + "\n");
    }
    console.log(JSON.stringify(result));
    if (problems.length > 0) {
      console.error(`soak: everything is in ${folder}`);
      Deno.exit(1);
    }
    if (options.out === undefined) await Deno.remove(folder, { recursive: true });
  });
}
