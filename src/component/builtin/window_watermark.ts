/** How far a source has come. */
interface Progress {
  /** The latest time of its events, in milliseconds. */
  latest: number;
  /** When the last of them came. */
  seenAt: number;
  /** It looked quiet at the tick before. */
  suspected: boolean;
}

export interface WatermarkOptions {
  lateness: number;
  /** 0: sources are never taken for quiet. */
  idleTimeout: number;
}

/**
 * Up to where the events of all sources are there, as far as one can tell: the earliest of the sources' latest times, less
 * the lateness. It never goes back.
 */
export class Watermark {
  readonly #options: WatermarkOptions;
  readonly #sources = new Map<string, Progress>();
  #at = -Infinity;

  constructor(options: WatermarkOptions) {
    this.#options = options;
  }

  /** Milliseconds since 1970: windows that end here or earlier are closed. */
  get at(): number {
    return this.#at;
  }

  /** An event of `source` with the time `time` came at `now`. */
  saw(source: string, { time, now }: { time: number; now: number }): void {
    const known = this.#sources.get(source);
    if (known === undefined) {
      this.#sources.set(source, { latest: time, seenAt: now, suspected: false });
    } else {
      known.seenAt = now;
      known.suspected = false;
      if (time <= known.latest) return;
      known.latest = time;
    }
    if (this.#sources.size === 1) this.raise(time - this.#options.lateness);
    else this.#advance(now);
  }

  raise(to: number): void {
    if (to > this.#at) this.#at = to;
  }

  /**
   * Lets time pass. True: some source looks quiet, and is taken for it at the next call; between the two the events that
   * had to wait for the pipeline get their turn.
   */
  pass(now: number): boolean {
    let again = false;
    for (const progress of this.#sources.values()) {
      // The clock may have been set back.
      progress.seenAt = Math.min(progress.seenAt, now);
      if (!this.#isOverdue(progress, now) || progress.suspected) continue;
      again = true;
    }
    this.#advance(now);
    for (const progress of this.#sources.values()) {
      if (this.#isOverdue(progress, now)) progress.suspected = true;
    }
    return again;
  }

  save(): [number | null, ...[string, number][]] {
    const latest = [...this.#sources].map(([name, { latest }]): [string, number] => [name, latest]);
    return [Number.isFinite(this.#at) ? this.#at : null, ...latest];
  }

  /** Goes on from what was saved, with the sources that are still there. */
  restore(
    [at, ...latest]: ReturnType<Watermark["save"]>,
    { now, sources }: { now: number; sources: readonly string[] },
  ): void {
    this.#at = at ?? -Infinity;
    for (const [name, time] of latest) {
      if (!sources.includes(name)) continue;
      this.#sources.set(name, { latest: time, seenAt: now, suspected: false });
    }
  }

  #isOverdue({ seenAt }: Progress, now: number): boolean {
    const { idleTimeout } = this.#options;
    return idleTimeout > 0 && now - seenAt >= idleTimeout;
  }

  #advance(now: number): void {
    let least = Infinity;
    let most = -Infinity;
    let lastSeen = -Infinity;
    for (const progress of this.#sources.values()) {
      most = Math.max(most, progress.latest);
      lastSeen = Math.max(lastSeen, progress.seenAt);
      if (progress.suspected && this.#isOverdue(progress, now)) continue;
      least = Math.min(least, progress.latest);
    }
    // Where all are quiet, time goes on by the clock.
    const reached = least === Infinity ? most + now - lastSeen : least;
    if (!Number.isNaN(reached)) this.raise(reached - this.#options.lateness);
  }
}
