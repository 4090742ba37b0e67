/**
 * The benchmark of hot reloads: a stateful processor and a port-holding source are replaced under load, every third time by a
 * version that fails. See docs/reliability.md.
 *
 *   scripts/bench reload [--json FILE] [--reloads N] [--busbar FILE]
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { main, PROJECT } from "../../scripts/lib/files.ts";
import type { Expectation } from "../soak/lib/expectation.ts";
import { SoakHost } from "../soak/lib/host.ts";
import { FAILING, SoakPlugin } from "../soak/lib/plugins.ts";
import { pause, until } from "../soak/lib/processes.ts";
import { Random } from "../soak/lib/random.ts";
import { finish, judge, makePlaces, startFeeder } from "../soak/lib/rig.ts";
import { configuration, expectation, type Places } from "../soak/lib/settings.ts";
import { median } from "./lib/median.ts";

const RATES = { numbers: 20_000, port: 5_000 };
const PIPELINE = "soak";
const START_MS = 60_000;
/** Reloads before memory, threads and descriptors are compared with those at the end. */
const WARM_UP = 10;
/** Time in which idle threads end and garbage is collected, before what is held is read. */
const REST_MS = 12_000;
const TARGETS = { median: 100, worst: 500 };

/** What host and cell hold. */
interface Held {
  host_memory_mb: number;
  cell_memory_mb: number;
  threads: number;
  descriptors: number;
}

/** What the benchmark prints and writes. */
interface Figures {
  reloads: number;
  refused: number;
  gap_median_ms: number;
  gap_worst_ms: number;
  events: number;
  lost: number;
  duplicates: number;
  reordered: number;
  held_before: Held;
  held_after: Held;
}

async function heldBy(host: SoakHost): Promise<Held> {
  await pause(REST_MS);
  const held: Held = { host_memory_mb: 0, cell_memory_mb: 0, threads: 0, descriptors: 0 };
  for (const pid of [host.pid, ...await host.cells()]) {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const number = (name: string) =>
      Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)![1]);
    held[pid === host.pid ? "host_memory_mb" : "cell_memory_mb"] += Math.round(
      number("VmRSS") / 1000,
    );
    held.threads += number("Threads");
    held.descriptors += [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  }
  return held;
}

/** One pipeline of the soak run alone. */
function settings(places: Places): string {
  const config = JSON.parse(configuration(places, RATES, { generation: 0 }));
  config.pipelines = { [PIPELINE]: config.pipelines[PIPELINE] };
  return JSON.stringify(config, null, 2);
}

function expected(): Expectation {
  const { sources: { c: _, ...sources }, sinks: { beside: __, ...sinks }, ...rest } = expectation();
  return { ...rest, sources, sinks };
}

/** Reloads so many times; the gaps, in ms. */
async function reload(host: SoakHost, plugin: SoakPlugin, count: number) {
  const gaps: number[] = [];
  let refused = 0;
  let before: Held | undefined;
  for (let turn = 1; turn <= count; turn++) {
    const fails = turn % 3 === 0;
    const good = plugin.good;
    const other = good === "old" ? "new" : "old";
    await plugin.install(fails ? FAILING[turn / 3 % FAILING.length]! : other);
    const { code, text } = await host.command("reload", "soak");
    if (fails) {
      await plugin.install(good);
      if (code === 0) throw new Error(`Cannot go on: reload ${turn} took a version that fails`);
      refused++;
    } else {
      if (code !== 0) throw new Error(`Cannot go on: reload ${turn} failed: ${text}`);
      gaps.push((await host.get(`/api/v1/pipelines/${PIPELINE}`)).reloads.lastGapMs);
    }
    if (turn === Math.min(WARM_UP, count)) before = await heldBy(host);
  }
  return { gaps, refused, before: before!, after: await heldBy(host) };
}

async function bench(folder: string, busbar: string, count: number): Promise<Figures> {
  const random = new Random(1);
  const places = await makePlaces(folder, { random, expected: expected() });
  const plugin = await SoakPlugin.build(folder);
  const config = join(folder, "busbar.yaml");
  await Deno.writeTextFile(config, settings(places));
  await using host = new SoakHost(busbar, config, folder);
  await host.start();
  const feeder = startFeeder(places, RATES.port);
  try {
    if (!await until(() => host.ready(), START_MS)) throw new Error("Cannot begin: see host.log");
    const { gaps, refused, before, after } = await reload(host, plugin, count);
    await finish(places, { host, feeder });
    if (host.surprises.length > 0) throw new Error(`Cannot go on: ${host.surprises.join("; ")}`);
    const { problems, events, lost, duplicates, reordered } = await judge(places.raw);
    for (const problem of problems) console.error(`reload: ${problem}`);
    return {
      reloads: gaps.length,
      refused,
      gap_median_ms: median(gaps),
      gap_worst_ms: Math.max(...gaps),
      events,
      lost,
      duplicates,
      reordered,
      held_before: before,
      held_after: after,
    };
  } finally {
    try {
      feeder.kill("SIGKILL");
    } catch { /* it has ended, as it should */ }
  }
}

function print(figures: Figures): void {
  const line = (what: string, value: string) => console.log(`${what.padEnd(30)} ${value}`);
  const over = (value: number, target: number) => value > target ? `  over ${target}` : "";
  const { gap_median_ms: middle, gap_worst_ms: worst, held_before: from, held_after: to } = figures;
  line("reloads, refused ones", `${figures.reloads}, ${figures.refused}`);
  line("gap without events, median", `${middle.toFixed(0)} ms${over(middle, TARGETS.median)}`);
  line("gap without events, worst", `${worst.toFixed(0)} ms${over(worst, TARGETS.worst)}`);
  line("events", String(figures.events));
  line("lost, double, reordered", `${figures.lost}, ${figures.duplicates}, ${figures.reordered}`);
  line(`at reload ${WARM_UP}, at the last:`, "");
  line("memory of the host", `${from.host_memory_mb} MB, ${to.host_memory_mb} MB`);
  line("memory of the cell", `${from.cell_memory_mb} MB, ${to.cell_memory_mb} MB`);
  line("threads", `${from.threads}, ${to.threads}`);
  line("descriptors", `${from.descriptors}, ${to.descriptors}`);
}

if (import.meta.main) {
  await main("reload", async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        json: { type: "string" },
        reloads: { type: "string", default: "100" },
        busbar: { type: "string", default: join(PROJECT, "dist/busbar") },
      },
    });
    const folder = await Deno.makeTempDir({ prefix: "busbar_reload_" });
    try {
      const figures = await bench(folder, resolve(values.busbar), Number(values.reloads));
      print(figures);
      if (values.json !== undefined) {
        await Deno.writeTextFile(values.json, JSON.stringify(figures, null, 2) + "\n");
      }
      const { lost, duplicates, reordered } = figures;
      if (lost + duplicates + reordered > 0) Deno.exitCode = 1;
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
