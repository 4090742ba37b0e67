/**
 * The benchmark of the SDKs: the same pass-through processor, written with each, against the one in C. See docs/benchmarks.md.
 *
 *   scripts/bench sdk [--json FILE] [--quick] [--rounds N]
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { main, PROJECT } from "../../scripts/lib/files.ts";
import { type Language, LANGUAGES } from "../../src/project/toolchain.ts";
import { median } from "./lib/median.ts";
import { buildPassThrough, measurePassThrough, type PassThrough } from "./lib/pass_through.ts";

/** One line of the result. Times are medians, for one event. */
interface Row {
  sdk: Language;
  payload: number;
  batch: number;
  sdk_ns: number;
  c_ns: number;
  /** `sdk_ns` / `c_ns`: 1 is as fast as C, more is slower. */
  ratio: number;
  /** What the ratio is to stay within. */
  limit: number;
}

const BATCH = 1024;
const PAYLOADS = [64, 256];
const LIMITS: Record<Language, number> = { c: 1, cpp: 1.1, rust: 1.1, go: 1.5 };
const ROUNDS = 11;
const QUICK_ROUNDS = 9;
const MILLISECONDS = 250;
const QUICK_MILLISECONDS = 50;

const USAGE = `Usage: scripts/bench sdk [options]
  --json FILE   write the rows to FILE
  --quick       measure for a shorter time
  --rounds N    measure every SDK this often, default ${ROUNDS}, at least 1`;

await main("bench sdk", async () => {
  const { values: options } = parseArgs({
    options: {
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (options.help) return console.log(USAGE);
  const rounds = Number(options.rounds ?? (options.quick ? QUICK_ROUNDS : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`Cannot use --rounds "${options.rounds}": it must be a whole number from 1 on`);
  }
  const parent = join(PROJECT, "dist/bench");
  await Deno.mkdir(parent, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: parent });
  try {
    const pass = await buildPassThrough(folder);
    const milliseconds = options.quick ? QUICK_MILLISECONDS : MILLISECONDS;
    const rows: Row[] = [];
    console.log("sdk   payload  batch   ns/event  ratio to C");
    for (const payload of PAYLOADS) {
      const measured = await measureAll(pass, { payload, batch: BATCH, milliseconds, rounds });
      measured.forEach(printRow);
      rows.push(...measured);
    }
    if (options.json !== undefined) {
      await Deno.writeTextFile(options.json, JSON.stringify(rows, rounded, 2) + "\n");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Rows of one payload. All SDKs take turns, each round beginning with another one, so that noise hits all of them. */
async function measureAll(
  pass: PassThrough,
  { rounds, ...load }: { payload: number; batch: number; milliseconds: number; rounds: number },
): Promise<Row[]> {
  const times = new Map<Language, number[]>(LANGUAGES.map((language) => [language, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < LANGUAGES.length; turn++) {
      const language = LANGUAGES[(round + turn) % LANGUAGES.length]!;
      times.get(language)!.push(await measurePassThrough(pass, language, load));
    }
  }
  const c = median(times.get("c")!);
  return LANGUAGES.map((sdk) => {
    const ns = median(times.get(sdk)!);
    const { payload, batch } = load;
    return { sdk, payload, batch, sdk_ns: ns, c_ns: c, ratio: ns / c, limit: LIMITS[sdk] };
  });
}

function printRow({ sdk, payload, batch, sdk_ns, ratio, limit }: Row): void {
  const cells = [
    sdk.padEnd(4),
    String(payload).padStart(8),
    String(batch).padStart(6),
    sdk_ns.toFixed(2).padStart(10),
    ratio.toFixed(3).padStart(11),
  ];
  console.log(cells.join(" ") + (ratio > limit ? `  over ${limit}` : ""));
}

/** Three decimals are more than the clock is worth. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}
