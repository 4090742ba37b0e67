import { AgedMap } from "../../aged_map.ts";
import type { Accumulator } from "./window_accumulators.ts";
import type { Aggregate } from "./window_aggregates.ts";

/** One key's part of one window. */
export interface OpenWindow {
  readonly key: string;
  readonly start: number;
  readonly accumulators: readonly Accumulator[];
  /** Events came since it was last emitted. */
  changed: boolean;
}

/** Of each window that it began at, the keys in the order they came, and what their accumulators hold. */
export type SavedWindows = [start: number, [key: string, ...accumulators: unknown[]][]][];

/** Windows that events go to, by their start and key. */
export class WindowStore {
  readonly #aggregates: readonly Aggregate[];
  readonly #windows = new Map<number, AgedMap<OpenWindow>>();
  /** Ascending. */
  #starts: number[] = [];
  #size = 0;

  constructor(aggregates: readonly Aggregate[]) {
    this.#aggregates = aggregates;
  }

  get size(): number {
    return this.#size;
  }

  /** When the first of them begins; undefined when there are none. */
  get firstStart(): number | undefined {
    return this.#starts[0];
  }

  /** The first of all: of those that begin first the one whose key came first. */
  get first(): OpenWindow | undefined {
    const start = this.#starts[0];
    if (start === undefined) return undefined;
    const keys = this.#windows.get(start)!;
    return keys.get(keys.oldest!);
  }

  has(start: number, key: string): boolean {
    return this.#windows.get(start)?.has(key) ?? false;
  }

  /** The window of a key; it is opened where there is none yet. */
  open(start: number, key: string): OpenWindow {
    let keys = this.#windows.get(start);
    if (keys === undefined) {
      this.#windows.set(start, keys = new AgedMap());
      let at = this.#starts.length;
      while (at > 0 && this.#starts[at - 1]! > start) at--;
      this.#starts.splice(at, 0, start);
    }
    let window = keys.get(key);
    if (window === undefined) {
      const accumulators = this.#aggregates.map((aggregate) => aggregate.start());
      keys.set(key, window = { key, start, accumulators, changed: true });
      this.#size++;
    }
    return window;
  }

  remove({ start, key }: OpenWindow): void {
    const keys = this.#windows.get(start)!;
    keys.delete(key);
    this.#size--;
    if (keys.size > 0) return;
    this.#windows.delete(start);
    this.#starts.splice(this.#starts.indexOf(start), 1);
  }

  /** All of them, in the order of {@linkcode first}. */
  *all(): Generator<OpenWindow> {
    for (const start of this.#starts) yield* this.#windows.get(start)!.values();
  }

  save(): SavedWindows {
    return this.#starts.map((start) => [
      start,
      [...this.#windows.get(start)!.values()].map(({ key, accumulators }) => [
        key,
        ...accumulators.map((accumulator) => accumulator.save()),
      ]),
    ]);
  }

  restore(saved: SavedWindows): void {
    for (const [start, keys] of saved) {
      for (const [key, ...accumulators] of keys) {
        const window = this.open(start, key);
        window.accumulators.forEach((accumulator, i) => accumulator.restore(accumulators[i]));
      }
    }
  }
}
