/**
 * The benchmark of the event path: busbar against a C program that drives the same plugins. See docs/benchmarks.md.
 *
 *   scripts/bench core [--json FILE] [--quick] [--payload N] [--batch N] [--busbar FILE]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { main, PROJECT, statOrNothing } from "../../scripts/lib/files.ts";
import {
  type Arena,
  busbarContestant,
  type Contestant,
  hostContestant,
  jsonContestant,
  type Load,
  staticContestant,
} from "./lib/contestants.ts";
import { hostFigures } from "./lib/figures.ts";
import { median } from "./lib/median.ts";
import { buildPrograms } from "./lib/programs.ts";
import { printFigures, printHead, printRow, type Row } from "./lib/report.ts";

const PAYLOADS = [64, 256, 1024];
const BATCHES = [1, 64, 1024];
const JSON_PAYLOAD = 64;
/** As many as V8 needs to settle: a JSON event takes a hundred times as long as one of busbar's. */
const JSON_COUNT = 200_000;
const RUNS = 5;

const USAGE = `Usage: scripts/bench core [options]
  --json FILE    write the rows to FILE and the figures of the host to FILE.host.json
  --quick        move fewer events
  --payload N    only this payload (${PAYLOADS.join(", ")})
  --batch N      only this batch size (${BATCHES.join(", ")})
  --busbar FILE  measure this binary instead of dist/busbar`;

await main("bench core", async () => {
  const { values: options } = parseArgs({
    options: {
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      payload: { type: "string" },
      batch: { type: "string" },
      busbar: { type: "string", default: join(PROJECT, "dist/busbar") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (options.help) return console.log(USAGE);
  const payloads = chosen("payload", PAYLOADS, options.payload);
  const batches = chosen("batch", BATCHES, options.batch);
  if (!await statOrNothing(options.busbar)) {
    throw new Error(
      `Cannot measure "${options.busbar}": it does not exist, run scripts/build first`,
    );
  }
  const busbar = await Deno.realPath(options.busbar);
  // Beside dist/busbar, so that the host can link to it instead of copying it for every run.
  const parent = join(PROJECT, "dist/bench");
  await Deno.mkdir(parent, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: parent });
  try {
    const arena: Arena = { programs: await buildPrograms(folder), busbar, folder };
    const rows: Row[] = [];
    printHead();
    for (const payload of payloads) {
      for (const batch of batches) {
        for (const withPass of [false, true]) {
          const load = { count: eventCount(payload, batch, options.quick), payload, batch };
          const measured = await measureLoad(arena, load, withPass);
          measured.forEach(printRow);
          rows.push(...measured);
        }
      }
    }
    await writeJson(options.json, rows);
    const figures = await hostFigures(arena, {
      runs: RUNS,
      idleMs: options.quick ? 3_000 : 10_000,
    });
    printFigures(figures);
    if (options.json !== undefined) await writeJson(`${options.json}.host.json`, figures);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** All, or the one that was asked for. */
function chosen(name: string, all: number[], value: string | undefined): number[] {
  if (value === undefined) return all;
  if (all.includes(Number(value))) return [Number(value)];
  throw new Error(`Cannot use --${name} "${value}": the cases are ${all.join(", ")}`);
}

/** Events for about half a second: the time that busbar may take for one is near to this line. */
function eventCount(payload: number, batch: number, quick: boolean): number {
  const ns = 10 + payload / 15 + 150 / batch;
  return Math.round((quick ? 1.5e8 : 5e8) / ns);
}

/** The rows of one load. What is compared runs in turns, so that the machine's noise hits all of it. */
async function measureLoad(arena: Arena, load: Load, withPass: boolean): Promise<Row[]> {
  const contestants: Record<string, Contestant> = {
    host: hostContestant(arena, load, withPass),
    busbar: busbarContestant(arena, load, withPass),
  };
  const withJson = !withPass && load.payload === JSON_PAYLOAD;
  if (!withPass) contestants.static = staticContestant(arena, load);
  if (withJson) contestants.json = jsonContestant(arena, { ...load, count: JSON_COUNT });
  const ns = await takeTurns(contestants, load);
  const row = (name: string, busbarNs: number, referenceNs: number): Row => ({
    case: name,
    payload: load.payload,
    batch: load.batch,
    busbar_ns: busbarNs,
    reference_ns: referenceNs,
    ratio: referenceNs / busbarNs,
  });
  const rows = [row(withPass ? "native3" : "native", ns.busbar!, ns.host!)];
  if (!withPass) rows.push(row("static", ns.host!, ns.static!));
  if (withJson) rows.push(row("json", ns.busbar!, ns.json!));
  return rows;
}

/** Median time for an event of each contestant. Throws where they did not all move the same bytes. */
async function takeTurns(
  contestants: Record<string, Contestant>,
  load: Load,
): Promise<Record<string, number>> {
  const times: Record<string, number[]> = {};
  const checksums = new Set<string>();
  for (let run = 0; run < RUNS; run++) {
    for (const [name, contestant] of Object.entries(contestants)) {
      const { nsPerEvent, checksum } = await contestant();
      (times[name] ??= []).push(nsPerEvent);
      if (checksum !== undefined) checksums.add(checksum);
    }
  }
  if (checksums.size > 1) {
    const names = Object.keys(contestants).join(", ");
    throw new Error(
      `Cannot compare ${names} at payload ${load.payload}, batch ${load.batch}: their sinks read different bytes, ` +
        `checksums ${[...checksums].join(", ")}`,
    );
  }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
}

async function writeJson(path: string | undefined, value: unknown): Promise<void> {
  if (path !== undefined) await Deno.writeTextFile(path, JSON.stringify(value, rounded, 2) + "\n");
}

/** Three decimals are more than the clock is worth. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}
