/** When a cell is started again, as `restart` in the configuration says. */
export interface RestartSettings {
  initialMs: number;
  maxMs: number;
  multiplier: number;
  maxRestarts: number;
  windowMs: number;
}

/**
 * Grows the wait with every restart within the window, and gives up after `maxRestarts` in it. The window passes only
 * while the cell is up: if waiting counted as well, long waits alone would keep a cell that always crashes from failing.
 */
export class RestartPolicy {
  readonly #settings: RestartSettings;
  #uptime = 0;
  #restarts: number[] = [];

  constructor(settings: RestartSettings) {
    this.#settings = settings;
  }

  /** After a cell that was up for `uptimeMs` crashed: ms to wait before the next start; undefined to give up. */
  next(uptimeMs: number): number | undefined {
    const { initialMs, maxMs, multiplier, maxRestarts, windowMs } = this.#settings;
    this.#uptime += uptimeMs;
    this.#restarts = this.#restarts.filter((at) => this.#uptime - at < windowMs);
    if (this.#restarts.length >= maxRestarts) return undefined;
    const wait = Math.min(maxMs, initialMs * multiplier ** this.#restarts.length);
    this.#restarts.push(this.#uptime);
    return wait;
  }
}
