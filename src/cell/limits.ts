import { cpuSeconds, openDescriptors, residentBytes } from "./process_facts.ts";

/** What a cell may use. */
export interface CellLimits {
  memoryBytes: number;
  descriptors: number;
  /** Processor cores, averaged over 10 s; null: any. */
  cpu: number | null;
}

const SLOW_EVERY_MS = 1_000;
const CPU_WINDOW_MS = 10_000;

/**
 * Compares what a process uses with its limits. Memory at every call; descriptors and processor time, which cost more to
 * find out or change slowly, once a second.
 */
export class LimitWatch {
  readonly #pid: number;
  readonly #limits: CellLimits;
  #rss = 0;
  #slowAt = 0;
  #cpu: { at: number; seconds: number }[] = [];

  constructor(pid: number, limits: CellLimits) {
    this.#pid = pid;
    this.#limits = limits;
  }

  /** Resident memory at the last check, in bytes. */
  get rss(): number {
    // Between its start and the first sample a process has memory as well.
    return this.#rss ||= residentBytes(this.#pid) ?? 0;
  }

  /** What is exceeded, in words, or nothing. `now` in ms of a clock that only goes forward. */
  check(now: number): string | undefined {
    this.#rss = residentBytes(this.#pid) ?? this.#rss;
    const { memoryBytes, descriptors, cpu } = this.#limits;
    if (this.#rss > memoryBytes) {
      return `memory limit exceeded: ${formatBytes(this.#rss)} of ${formatBytes(memoryBytes)}`;
    }
    if (now - this.#slowAt < SLOW_EVERY_MS) return undefined;
    this.#slowAt = now;
    const open = openDescriptors(this.#pid) ?? 0;
    if (open >= descriptors) {
      return `descriptor limit reached: ${open} open, ${descriptors} allowed`;
    }
    const used = cpu === null ? undefined : this.#averageCpu(now);
    if (cpu !== null && used !== undefined && used > cpu) {
      const seconds = CPU_WINDOW_MS / 1000;
      return `CPU limit exceeded: ${used.toFixed(2)} of ${cpu} cores over ${seconds} s`;
    }
    return undefined;
  }

  /** Cores used over the window; undefined until it has passed once. */
  #averageCpu(now: number): number | undefined {
    const seconds = cpuSeconds(this.#pid);
    if (seconds === undefined) return undefined;
    this.#cpu.push({ at: now, seconds });
    while (this.#cpu.length > 1 && now - this.#cpu[1]!.at >= CPU_WINDOW_MS) this.#cpu.shift();
    const first = this.#cpu[0]!;
    if (now - first.at < CPU_WINDOW_MS) return undefined;
    return (seconds - first.seconds) / ((now - first.at) / 1000);
  }
}

/** A number of bytes for people: "1.2 GiB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}
