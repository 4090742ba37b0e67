/** Each bucket is this much wider than the one before, so that its middle is at most 0.5 % off. */
const GAMMA = 1.01;
const LOG_GAMMA = Math.log(GAMMA);

export interface SavedSketch {
  negative: [number, number][];
  zero: number;
  positive: [number, number][];
  least: number;
  most: number;
}

/** Percentiles of any number of values in buckets that grow with the value: at most 0.5 % off. */
export class Sketch {
  #negative = new Map<number, number>();
  #positive = new Map<number, number>();
  #zero = 0;
  #count = 0;
  #least = Infinity;
  #most = -Infinity;

  add(value: number): void {
    this.#count++;
    this.#least = Math.min(this.#least, value);
    this.#most = Math.max(this.#most, value);
    if (value === 0) {
      this.#zero++;
      return;
    }
    const buckets = value < 0 ? this.#negative : this.#positive;
    const bucket = Math.ceil(Math.log(Math.abs(value)) / LOG_GAMMA);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }

  /** The value that `percent` of all are not above; the least and the most are exact. */
  percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil(percent / 100 * this.#count));
    if (rank >= this.#count) return this.#most;
    if (rank === 1) return this.#least;
    let seen = 0;
    for (const [bucket, count] of [...this.#negative].sort(([a], [b]) => b - a)) {
      seen += count;
      if (seen >= rank) return this.#within(-middleOf(bucket));
    }
    seen += this.#zero;
    if (seen >= rank) return 0;
    for (const [bucket, count] of [...this.#positive].sort(([a], [b]) => a - b)) {
      seen += count;
      if (seen >= rank) return this.#within(middleOf(bucket));
    }
    return this.#most;
  }

  save(): SavedSketch {
    return {
      negative: [...this.#negative],
      zero: this.#zero,
      positive: [...this.#positive],
      least: this.#least,
      most: this.#most,
    };
  }

  restore({ negative, zero, positive, least, most }: SavedSketch): void {
    this.#negative = new Map(negative);
    this.#positive = new Map(positive);
    this.#zero = zero;
    this.#least = least;
    this.#most = most;
    const counts = [...this.#negative.values(), ...this.#positive.values()];
    this.#count = counts.reduce((sum, count) => sum + count, zero);
  }

  #within(value: number): number {
    return Math.min(Math.max(value, this.#least), this.#most);
  }
}

function middleOf(bucket: number): number {
  return 2 * GAMMA ** bucket / (GAMMA + 1);
}
