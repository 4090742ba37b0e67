import { runBusbar } from "./busbar.ts";
import type { Arena } from "./contestants.ts";
import { withIdleHost } from "./idle_host.ts";
import { median } from "./median.ts";

/** What busbar costs without events, as it is written to `FILE.host.json`. */
export interface HostFigures {
  /** From the spawn of a cell until it is ready, as the host measured it; median. */
  cell_ready_ms: number;
  /** Proportional set size of the host and one idle cell, in units of 1,000,000 bytes. */
  idle_pss_mb: number;
  /** Processor time of the two over the time, 100 being one processor. */
  idle_cpu_percent: number;
  /** Start to end of `busbar version`; median. */
  version_ms: number;
  binary_bytes: number;
}

/** How much effort goes into the figures. */
export interface FigureOptions {
  /** How many runs the medians are over. */
  runs: number;
  /** How long the idle cell is watched, in ms. */
  idleMs: number;
}

/** Between a cell's start and the watch over it, so that the start is not counted. */
const SETTLE_MS = 2_000;
/** Linux reports processor time to programs in ticks of 10 ms, whatever the kernel counts in. */
const TICK_MS = 10;

/** Measures everything in {@linkcode HostFigures}. For Linux: it reads `/proc`. */
export async function hostFigures(arena: Arena, options: FigureOptions): Promise<HostFigures> {
  const version: number[] = [];
  for (let i = 0; i < options.runs; i++) {
    const started = performance.now();
    await runBusbar(arena.busbar, ["version"]);
    version.push(performance.now() - started);
  }
  const ready: number[] = [];
  for (let i = 1; i < options.runs; i++) {
    ready.push(await withIdleHost(arena, ({ cellReadyMs }) => Promise.resolve(cellReadyMs)));
  }
  const idle = await withIdleHost(arena, async ({ pid, cellReadyMs }) => {
    ready.push(cellReadyMs);
    return await watchIdle(pid, options.idleMs);
  });
  return {
    cell_ready_ms: median(ready),
    ...idle,
    version_ms: median(version),
    binary_bytes: (await Deno.stat(arena.busbar)).size,
  };
}

type IdleFigures = Pick<HostFigures, "idle_pss_mb" | "idle_cpu_percent">;

async function watchIdle(host: number, idleMs: number): Promise<IdleFigures> {
  await delay(SETTLE_MS);
  const pids = [host, ...await childrenOf(host)];
  if (pids.length < 2) {
    throw new Error(`Cannot measure an idle cell: host ${host} has no child process`);
  }
  const before = await cpuMs(pids);
  const started = performance.now();
  await delay(idleMs);
  const elapsed = performance.now() - started;
  const cpu = await cpuMs(pids) - before;
  const pss = await Promise.all(pids.map(pssBytes));
  return { idle_pss_mb: sum(pss) / 1e6, idle_cpu_percent: cpu / elapsed * 100 };
}

/** A child belongs to the thread that started it. */
async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/children`);
    children.push(...text.split(" ").filter((word) => word !== "").map(Number));
  }
  return children;
}

async function cpuMs(pids: number[]): Promise<number> {
  const times = await Promise.all(pids.map(async (pid) => {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    // Behind the name, which may hold spaces: utime and stime are fields 14 and 15 of all.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }));
  return sum(times);
}

async function pssBytes(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`);
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kilobytes === undefined) {
    throw new Error(`Cannot read the memory of process ${pid}: no "Pss" in smaps_rollup`);
  }
  return Number(kilobytes) * 1024;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
