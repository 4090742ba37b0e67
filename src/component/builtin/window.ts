import { BatchFlag, Status } from "../../../ffi/layout.ts";
import type { Batch } from "../../event/batch.ts";
import { EventView } from "../../expression/event_view.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import type { SavedState } from "../component.ts";
import { appendMarked, Forwarder } from "./record_sorter.ts";
import { emitWindow } from "./window_emission.ts";
import { planWindows, type WindowPlan } from "./window_settings.ts";
import { type OpenWindow, type SavedWindows, WindowStore } from "./window_store.ts";
import { Watermark } from "./window_watermark.ts";

const OUT = 0;
const LATE = 1;
const STATE_VERSION = 1;

/** What became of an event. */
type Placed = "in windows" | "late" | "waits" | "dropped" | "refused";

/** Where an event belongs. */
interface Taken {
  /** Milliseconds since 1970. */
  time: number;
  key: string;
}

interface State {
  shape: string;
  watermark: ReturnType<Watermark["save"]>;
  windows: SavedWindows;
}

/** Makes one event of all that lie in a window of time. */
export function window(context: BuiltinContext): BuiltinComponent {
  return new Windows(context, planWindows(context.config));
}

window.check = planWindows;

class Windows implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #plan: WindowPlan;
  readonly #view: EventView;
  readonly #store: WindowStore;
  readonly #watermark: Watermark;
  readonly #late = new Forwarder();
  /** Of the present event, what each aggregate takes. */
  readonly #values: unknown[] = [];
  /** Windows to be emitted though they are open. */
  #early: OpenWindow[] = [];
  #nextEarly = -Infinity;
  readonly #count: Record<"late" | "full" | "emitted" | "errors", (add?: number) => void>;
  readonly #setOpen: (value: number) => void;

  constructor(context: BuiltinContext, plan: WindowPlan) {
    this.#context = context;
    this.#plan = plan;
    this.#view = new EventView(context.sources);
    this.#store = new WindowStore(plan.aggregates);
    this.#watermark = new Watermark(plan);
    const { metrics } = context;
    this.#count = {
      late: metrics.counter("events_late_total"),
      full: metrics.counter("windows_full_total"),
      emitted: metrics.counter("windows_emitted_total"),
      errors: metrics.counter("expression_errors_total"),
    };
    this.#setOpen = metrics.gauge("windows_open");
  }

  process(batch: Batch): number {
    const late = batch.outputs[LATE];
    if (late !== undefined) this.#late.open(batch, late);
    const status = this.#process(batch);
    if (late !== undefined) this.#late.flush();
    this.#setOpen(this.#store.size);
    return status;
  }

  #process(batch: Batch): number {
    const view = this.#view;
    const { reader } = view.open(batch, batch.cursor);
    const out = batch.outputs[OUT]!;
    const now = this.#context.now();
    if (this.#plan.byClock) this.#watermark.raise(now);
    if (!this.#emitClosed(out)) return Status.MORE;
    while (view.next()) {
      if (batch.outputs[LATE] !== undefined && !this.#late.fits(reader)) {
        batch.cursor = reader.offset;
        return Status.MORE;
      }
      let taken: Taken;
      try {
        taken = this.#take(now);
      } catch (error) {
        const status = this.#failed(batch, (error as Error).message);
        if (status !== Status.OK) return status;
        continue;
      }
      // It tells the time also when there is no room for it, or all windows would stay open.
      if (!this.#plan.byClock) this.#watermark.saw(view.source, { time: taken.time, now });
      const placed = this.#emitClosed(out) ? this.#place(out, taken) : "waits";
      if (placed === "waits") {
        batch.cursor = reader.offset;
        return Status.MORE;
      }
      if (placed === "late") {
        if (batch.outputs[LATE] !== undefined) this.#late.add(reader);
        this.#count.late();
      }
      if (placed === "refused") {
        const { maxWindows } = this.#plan;
        const status = this.#failed(
          batch,
          `Cannot open a window: ${this.#store.size} are open, max_windows is ${maxWindows}`,
        );
        if (status !== Status.OK) return status;
      }
    }
    if (reader.malformed === "") return Status.OK;
    batch.done = reader.index + 1;
    return Status.INVALID;
  }

  tick(batch: Batch): number {
    const out = batch.outputs[OUT]!;
    const now = Number(batch.now / 1_000_000n);
    const { byClock, emitEvery, emitOnStop } = this.#plan;
    if (byClock) this.#watermark.raise(now);
    else if (this.#watermark.pass(now)) this.#context.wake();
    if (!this.#emitClosed(out)) return Status.MORE;
    const stops = emitOnStop && (batch.flags & BatchFlag.DRAIN) !== 0;
    // The clock may have been set back.
    this.#nextEarly = Math.min(this.#nextEarly, now + emitEvery);
    if (this.#early.length === 0 && (stops || emitEvery > 0 && now >= this.#nextEarly)) {
      this.#nextEarly = now + emitEvery;
      this.#early = [...this.#store.all()].filter(({ changed }) => changed).reverse();
    }
    this.#setOpen(this.#store.size);
    return this.#emitEarly(out) ? Status.OK : Status.MORE;
  }

  save(): SavedState {
    const state: State = {
      shape: this.#plan.shape,
      watermark: this.#watermark.save(),
      windows: this.#store.save(),
    };
    return { version: STATE_VERSION, data: new TextEncoder().encode(JSON.stringify(state)) };
  }

  restore({ version, data }: SavedState): void {
    if (version !== STATE_VERSION) throw new Error(`Cannot read the state of version ${version}`);
    const { shape, watermark, windows } = readState(data);
    const { sources } = this.#context;
    this.#watermark.restore(watermark, { now: this.#context.now(), sources });
    if (shape === this.#plan.shape) {
      this.#store.restore(windows);
    } else if (windows.length > 0) {
      const open = windows.reduce((sum, [, keys]) => sum + keys.length, 0);
      this.#context.log("warning", "Windows were made with other settings and are dropped", {
        open,
      });
    }
    this.#setOpen(this.#store.size);
  }

  /** Takes of an event what the aggregates need; its time and key. Throws what is wrong with it. */
  #take(now: number): Taken {
    const { byClock, timestamp, key, aggregates, maxAhead } = this.#plan;
    // A clock that was set back stands still until it has caught up.
    const time = byClock
      ? Math.max(now, this.#watermark.at)
      : millisecondsOf(timestamp?.evaluate(this.#view) ?? this.#ownTime());
    if (time - now > maxAhead) {
      throw new Error(`Cannot use its time: ${new Date(time).toISOString()} is ahead of the clock`);
    }
    for (let i = 0; i < aggregates.length; i++) {
      this.#values[i] = aggregates[i]!.valueOf(this.#view);
    }
    return { time, key: key?.evaluate(this.#view) ?? "" };
  }

  #ownTime(): bigint {
    const { timestamp } = this.#view.reader;
    if (timestamp !== 0n) return timestamp;
    throw new Error("Cannot tell its window: the event has no time");
  }

  /** Adds the event to its windows that are open, as far as there is room for them. */
  #place(out: Batch, { time, key }: Taken): Placed {
    const { slide, maxWindows, whenFull, size } = this.#plan;
    const store = this.#store;
    const last = Math.floor(time / slide) * slide;
    for (;;) {
      const first = this.#firstOpen(last, time);
      if (first > last) return "late";
      let missing = 0;
      for (let start = first; start <= last; start += slide) {
        if (!store.has(start, key)) missing++;
      }
      if (missing === 0 || store.size + missing <= maxWindows) {
        this.#add({ first, last, key, time });
        return "in windows";
      }
      if (whenFull === "dead_letter") return "refused";
      this.#count.full();
      if (whenFull === "drop") return "dropped";
      this.#watermark.raise(store.firstStart! + size);
      if (!this.#emitClosed(out)) return "waits";
    }
  }

  /** Where the first window begins that `time` lies in and that is not closed yet; the last begins at `last`. */
  #firstOpen(last: number, time: number): number {
    const { slide, size } = this.#plan;
    let first = last;
    while (first - slide > time - size) first -= slide;
    while (first <= last && first + size <= this.#watermark.at) first += slide;
    return first;
  }

  #add(
    { first, last, key, time }: { first: number; last: number; key: string; time: number },
  ): void {
    for (let start = first; start <= last; start += this.#plan.slide) {
      const window = this.#store.open(start, key);
      window.changed = true;
      const { accumulators } = window;
      for (let i = 0; i < accumulators.length; i++) accumulators[i]!.add(this.#values[i], time);
    }
  }

  /** Emits the windows that the watermark has passed; false where there is no room for all. */
  #emitClosed(out: Batch): boolean {
    const { size } = this.#plan;
    for (;;) {
      const window = this.#store.first;
      if (window === undefined || window.start + size > this.#watermark.at) return true;
      if (!this.#emit(out, window, true)) return false;
      this.#store.remove(window);
    }
  }

  #emitEarly(out: Batch): boolean {
    for (let window = this.#early.at(-1); window !== undefined; window = this.#early.at(-1)) {
      // It may have been closed while the others had to wait for room.
      if (window.changed && this.#store.has(window.start, window.key)) {
        if (!this.#emit(out, window, false)) return false;
        window.changed = false;
      }
      this.#early.pop();
    }
    return true;
  }

  #emit(out: Batch, window: OpenWindow, final: boolean): boolean {
    const before = out.count;
    if (!emitWindow(out, window, { plan: this.#plan, final })) return false;
    if (out.count > before) this.#count.emitted();
    return true;
  }

  /** As `on_error` says; OK: go on with the next event. */
  #failed(batch: Batch, message: string): number {
    const { reader } = this.#view;
    const { onError } = this.#plan;
    if (onError === "mark" && !appendMarked(batch.outputs[OUT]!, reader, message)) {
      batch.cursor = reader.offset;
      return Status.MORE;
    }
    this.#count.errors();
    if (onError !== "dead_letter") return Status.OK;
    batch.done = reader.index;
    this.#context.explain(message);
    return Status.INVALID;
  }
}

function millisecondsOf(timestamp: bigint): number {
  const floor = timestamp % 1_000_000n < 0n ? 1n : 0n;
  return Number(timestamp / 1_000_000n - floor);
}

function readState(data: Uint8Array): State {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch (error) {
    throw new Error(`Cannot read the state: ${(error as Error).message}`);
  }
}
