import type { ComponentReading } from "./recorder_reader.ts";

/** Counters that go on through restarts. */
export type Counters = Pick<
  ComponentReading,
  | "eventsIn"
  | "eventsOut"
  | "bytesIn"
  | "bytesOut"
  | "errors"
  | "dropped"
  | "retries"
  | "bufferDropped"
  | "bufferCorrupt"
>;

/** What a component does, or did last. */
export interface ComponentView extends Counters {
  health: number;
  healthMessage: string;
  state: number;
  queued: number;
  pending: number;
  bufferBytes: number;
  bufferEvents: number;
}

const COUNTERS = [
  "eventsIn",
  "eventsOut",
  "bytesIn",
  "bytesOut",
  "errors",
  "dropped",
  "retries",
  "bufferDropped",
  "bufferCorrupt",
] as const satisfies (keyof Counters)[];

/** A component that was never there. */
export const NOTHING: ComponentView = {
  eventsIn: 0,
  eventsOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  errors: 0,
  dropped: 0,
  retries: 0,
  bufferDropped: 0,
  bufferCorrupt: 0,
  health: 0,
  healthMessage: "",
  state: 0,
  queued: 0,
  pending: 0,
  bufferBytes: 0,
  bufferEvents: 0,
};

/** Counters of one life added to those before. */
export function sum(a: Counters | undefined, b: Counters): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, (a?.[name] ?? 0) + b[name]])) as Record<
    typeof COUNTERS[number],
    number
  >;
}
