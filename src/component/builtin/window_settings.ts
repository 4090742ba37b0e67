import { SettingError } from "../../config/setting_error.ts";
import { parseDuration } from "../../config/units.ts";
import { compileExpression, type Expression } from "../../expression/expression.ts";
import type { OnError } from "./record_sorter.ts";
import { type Aggregate, type AggregateSettings, makeAggregate } from "./window_aggregates.ts";

/** Windows that one event may lie in. */
const MOST_OVERLAPPING = 1000;

interface Settings {
  size: string;
  slide?: string;
  time: "event" | "processing";
  timestamp?: string;
  lateness: string;
  idle_timeout: string;
  max_ahead?: string;
  key?: string;
  aggregates: Record<string, AggregateSettings>;
  having?: string;
  emit_every: string;
  emit_on_stop: boolean;
  max_windows: number;
  when_full: WhenFull;
  on_error: OnError;
}

/** What becomes of an event for which a window would have to be opened that there is no room for. */
export type WhenFull = "close_oldest" | "dead_letter" | "drop";

/** The settings of `window`, compiled; times in milliseconds. */
export interface WindowPlan {
  size: number;
  slide: number;
  byClock: boolean;
  timestamp: Expression<bigint> | undefined;
  lateness: number;
  idleTimeout: number;
  /** How far an event's time may be ahead of the clock. */
  maxAhead: number;
  key: Expression<string> | undefined;
  aggregates: Aggregate[];
  having: Expression<boolean> | undefined;
  emitEvery: number;
  emitOnStop: boolean;
  maxWindows: number;
  whenFull: WhenFull;
  onError: OnError;
  /** What a state must have been made with to go on with it. */
  shape: string;
}

/** Throws an Error that says which settings do not go together. */
export function planWindows(config: Record<string, unknown>): WindowPlan {
  const settings = config as unknown as Settings;
  const size = milliseconds("size", settings.size);
  const slide = settings.slide === undefined ? size : milliseconds("slide", settings.slide);
  checkSizes(settings, size, slide);
  const { key, timestamp, time, aggregates } = settings;
  const byClock = time === "processing";
  const made = Object.entries(aggregates).map(([name, one]) => makeAggregate(name, one));
  return {
    size,
    slide,
    byClock,
    timestamp: timestamp === undefined
      ? undefined
      : compileExpression(timestamp, "timestamp", { setting: "timestamp" }),
    lateness: Math.round(parseDuration(settings.lateness)),
    idleTimeout: Math.round(parseDuration(settings.idle_timeout)),
    maxAhead: settings.max_ahead === undefined || byClock
      ? Infinity
      : parseDuration(settings.max_ahead),
    key: key === undefined ? undefined : compileExpression(key, "string", { setting: "key" }),
    aggregates: made,
    having: settings.having === undefined ? undefined : compileExpression(settings.having, "bool", {
      setting: "having",
      variables: {
        key: "string",
        start: "google.protobuf.Timestamp",
        end: "google.protobuf.Timestamp",
        ...Object.fromEntries(made.map(({ name, type }) => [name, type])),
      },
    }),
    emitEvery: Math.round(parseDuration(settings.emit_every)),
    emitOnStop: settings.emit_on_stop,
    maxWindows: settings.max_windows,
    whenFull: settings.when_full,
    onError: settings.on_error,
    shape: JSON.stringify([size, slide, time, timestamp ?? null, key ?? null, aggregates]),
  };
}

function checkSizes(settings: Settings, size: number, slide: number): void {
  if (slide > size) {
    throw new SettingError(
      ["slide"],
      `Cannot slide windows by ${settings.slide}: events would lie between windows of ${settings.size}`,
    );
  }
  const overlapping = Math.ceil(size / slide);
  if (overlapping > Math.min(MOST_OVERLAPPING, settings.max_windows)) {
    throw new SettingError(
      ["slide"],
      `Cannot slide windows of ${settings.size} by ${settings.slide}: each event would lie in ${overlapping} of them, ` +
        `at most ${Math.min(MOST_OVERLAPPING, settings.max_windows)} are possible`,
    );
  }
}

function milliseconds(name: string, value: string): number {
  const duration = parseDuration(value);
  if (duration >= 1) return Math.round(duration);
  throw new SettingError([name], `Cannot use ${name}: ${value}: at least 1ms`);
}
