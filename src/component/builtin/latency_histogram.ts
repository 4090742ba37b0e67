/** Buckets for each doubling, so that a percentile is at most 2.2 % off. */
const STEPS = 32;
const BUCKETS = 64 * STEPS;

/** Percentiles of durations, in memory that does not grow. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #max = 0;
  count = 0;

  /** Adds a duration in ns; one below 1 ns counts as 1 ns. */
  add(ns: number): void {
    this.#counts[ns <= 1 ? 0 : Math.min(Math.floor(Math.log2(ns) * STEPS), BUCKETS - 1)]!++;
    this.count++;
    if (ns > this.#max) this.#max = ns;
  }

  /** The longest one, in ns. */
  get max(): number {
    return this.#max;
  }

  /** What a `part` of all durations, from 0 to 1, does not exceed, in ns; 0 when there are none. */
  percentile(part: number): number {
    let left = Math.max(1, Math.ceil(part * this.count));
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i]!;
      if (left <= 0) return Math.min(2 ** ((i + 0.5) / STEPS), this.#max);
    }
    return 0;
  }

  addAll(other: LatencyHistogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i]! += other.#counts[i]!;
    this.count += other.count;
    this.#max = Math.max(this.#max, other.#max);
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = this.#max = 0;
  }
}
