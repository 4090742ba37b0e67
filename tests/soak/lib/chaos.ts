import type { Fault, Scene } from "../faults/fault.ts";
import { pause } from "./processes.ts";
import type { Random } from "./random.ts";

/** So many faults last at once at most. */
const MOST_AT_ONCE = 4;
const GAP_MS = { low: 300, high: 1500 };

/** Brings about faults at random moments. */
export class Chaos {
  readonly #scene: Scene;
  readonly #faults: Fault[];
  readonly #random: Random;
  readonly #lasting = new Map<Fault, Promise<void>>();
  #stopped = false;
  /** How often each kind took place. */
  readonly counts: Record<string, number> = {};

  constructor(scene: Scene, options: { faults: Fault[]; random: Random }) {
    this.#scene = scene;
    this.#faults = options.faults;
    this.#random = options.random;
  }

  /** Has it begin no more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Goes on for so many ms, unless it is stopped; resolves when the last fault is over. */
  async run(duration: number): Promise<void> {
    const started = performance.now();
    while (!this.#stopped && performance.now() - started < duration) {
      await pause(this.#random.between(GAP_MS.low, GAP_MS.high));
      if (this.#lasting.size >= MOST_AT_ONCE) await Promise.race(this.#lasting.values());
      this.#begin();
    }
    await Promise.all(this.#lasting.values());
  }

  #begin(): void {
    const fault = this.#draw();
    const random = this.#random.fork();
    if (fault === undefined) return;
    const lasting = fault.strike(this.#scene, random).then((struck) => {
      if (struck) this.counts[fault.kind] = (this.counts[fault.kind] ?? 0) + 1;
    }, (error) => this.#scene.problem(`${fault.kind} cannot be brought about: ${error}`))
      .finally(() => this.#lasting.delete(fault));
    this.#lasting.set(fault, lasting);
  }

  /** One of those that may begin now. */
  #draw(): Fault | undefined {
    const taken = [...this.#lasting.keys()].some(({ exclusive }) => exclusive);
    const free = this.#faults.filter((fault) =>
      !this.#lasting.has(fault) && !(taken && fault.exclusive)
    );
    let at = this.#random.between(0, free.reduce((sum, { weight }) => sum + weight, 0));
    return free.find(({ weight }) => (at -= weight) < 0);
  }
}
