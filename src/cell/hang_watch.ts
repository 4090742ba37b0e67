import type { CallName } from "../../ffi/recorder_layout.ts";
import type { KillReason } from "./blame.ts";
import type { RecorderReader } from "./recorder_reader.ts";

/** How long each class of calls may take. */
export interface CallTimeouts {
  createMs: number;
  callMs: number;
  stopMs: number;
  healthMs: number;
}

/** What {@linkcode HangWatch} needs to know of a cell. */
export interface HangWatchOptions {
  /** By number of the component. */
  timeouts: CallTimeouts[];
  /** Between two samples, in ms. */
  tickMs: number;
  /** Whether the process is stopped by a signal, or traced: then its time does not count. */
  isHeld: () => boolean;
}

/** The longest a cell may take to make its first sign of life, and the least it may take for the next, in ms. */
const HELLO_MS = 60_000;
const LEAST_SILENCE_MS = 10_000;

const CLASS: Partial<Record<CallName, keyof CallTimeouts>> = {
  create: "createMs",
  restore: "createMs",
  start: "createMs",
  stop: "stopMs",
  save: "stopMs",
  destroy: "stopMs",
  health: "healthMs",
};

/**
 * Finds calls that do not return, and cells whose event loop stands still. It counts its own samples instead of looking
 * at a clock: while the machine sleeps or the host itself is stopped, no time passes for the cell either.
 */
export class HangWatch {
  readonly #reader: RecorderReader;
  readonly #options: HangWatchOptions;
  #calls: { count: bigint; ticks: number }[];
  #heartbeat = 0n;
  #silentTicks = 0;

  constructor(reader: RecorderReader, options: HangWatchOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#calls = options.timeouts.map(() => ({ count: 0n, ticks: 0 }));
  }

  /** One sample. `phase` is how far the cell is: not yet connected, loading and starting, or up. */
  tick(phase: "hello" | "starting" | "up"): KillReason | undefined {
    const { moved, inside, stuck } = this.#sampleCalls();
    const heartbeat = this.#reader.heartbeat();
    const alive = heartbeat !== this.#heartbeat || inside || (phase !== "up" && moved);
    this.#heartbeat = heartbeat;
    if (alive) this.#silentTicks = 0;
    if (alive && stuck.length === 0) return undefined;
    if (this.#options.isHeld()) return undefined;
    return alive ? this.#overdueCall(stuck) : this.#silence(phase);
  }

  /** Whether any count moved, whether any component is inside a call, and which are since the last sample. */
  #sampleCalls(): { moved: boolean; inside: boolean; stuck: number[] } {
    let moved = false;
    let inside = false;
    const stuck: number[] = [];
    for (const [i, seen] of this.#calls.entries()) {
      const count = this.#reader.calls(i);
      const odd = count % 2n === 1n;
      inside ||= odd;
      if (count !== seen.count) {
        moved = true;
        seen.count = count;
        seen.ticks = 0;
      } else if (odd) {
        stuck.push(i);
      }
    }
    return { moved, inside, stuck };
  }

  #overdueCall(stuck: number[]): KillReason | undefined {
    for (const component of stuck) {
      const seen = this.#calls[component]!;
      seen.ticks++;
      const { call } = this.#reader.component(component);
      const limit = this.#options.timeouts[component]![(call && CLASS[call]) || "callMs"];
      if (seen.ticks * this.#options.tickMs >= limit) {
        return { reason: "hang", message: `call did not return within ${limit} ms`, component };
      }
    }
    return undefined;
  }

  #silence(phase: "hello" | "starting" | "up"): KillReason | undefined {
    const { timeouts, tickMs } = this.#options;
    const key = phase === "up" ? "callMs" : "createMs";
    const limit = phase === "hello"
      ? HELLO_MS
      : Math.max(LEAST_SILENCE_MS, ...timeouts.map((timeout) => timeout[key]));
    if (++this.#silentTicks * tickMs < limit) return undefined;
    const message = `cell does not respond: no sign of life for ${limit} ms`;
    return { reason: "unresponsive", message };
  }
}
