import type { HostFigures } from "./figures.ts";

/** One line of the result, as it stands in the file behind `--json`. Times are medians, for one event. */
export interface Row {
  case: string;
  payload: number;
  batch: number;
  busbar_ns: number;
  reference_ns: number;
  /** `reference_ns` / `busbar_ns`: 1 is as fast as the reference, less is slower. */
  ratio: number;
}

const MIN_RATIO = 0.9;
const MAX_OVERHEAD_NS = 100;

export function printHead(): void {
  console.log("case     payload  batch  busbar ns  reference ns   ratio  overhead ns");
}

export function printRow(row: Row): void {
  const overhead = row.busbar_ns - row.reference_ns;
  const cells = [
    row.case.padEnd(7),
    String(row.payload).padStart(8),
    String(row.batch).padStart(6),
    row.busbar_ns.toFixed(1).padStart(10),
    row.reference_ns.toFixed(1).padStart(13),
    row.ratio.toFixed(2).padStart(7),
    overhead.toFixed(1).padStart(12),
  ];
  console.log(cells.join(" ") + missed(row));
}

export function printFigures(figures: HostFigures): void {
  const line = (what: string, value: string, target = "") =>
    console.log(`${what.padEnd(30)} ${value}${target}`);
  console.log();
  line(
    "cell ready after spawn",
    `${figures.cell_ready_ms.toFixed(1)} ms`,
    over(figures.cell_ready_ms, 80),
  );
  line(
    "host and idle cell, memory",
    `${figures.idle_pss_mb.toFixed(1)} MB`,
    over(figures.idle_pss_mb, 140),
  );
  line(
    "host and idle cell, processor",
    `${figures.idle_cpu_percent.toFixed(2)} %`,
    over(figures.idle_cpu_percent, 1),
  );
  line("busbar version", `${figures.version_ms.toFixed(1)} ms`, over(figures.version_ms, 80));
  line("binary", `${(figures.binary_bytes / 1e6).toFixed(1)} MB`);
}

/** What a row of busbar itself was to reach and did not. */
function missed(row: Row): string {
  if (row.case !== "native" && row.case !== "native3") return "";
  if (row.batch > 1) return row.ratio < MIN_RATIO ? `  below ${MIN_RATIO}` : "";
  return over(row.busbar_ns - row.reference_ns, MAX_OVERHEAD_NS);
}

function over(value: number, limit: number): string {
  return value > limit ? `  over ${limit}` : "";
}
