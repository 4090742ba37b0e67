import type { LogLevel } from "@logtape/logtape";
import { logText } from "../log.ts";
import type { ComponentPlace } from "./cell_plan.ts";
import type { LogRing, PluginLog } from "./log_ring.ts";

/** From a level's number, less one. */
const LEVELS: LogLevel[] = ["trace", "debug", "info", "warning", "error", "fatal"];

const INTERVAL_MS = 100;
/** So soon again when the ring was rather full: whoever logs much must not lose records. */
const BUSY_INTERVAL_MS = 5;
const BUSY_RECORDS = 64;
const LAST_DATE_MS = 8.64e15;

/** Brings a cell's log records from its flight recorder into the host's log, ten times a second. */
export class RecorderLogs {
  readonly #cell: string;
  readonly #ring: LogRing;
  readonly #places: ComponentPlace[];
  readonly #dropped: () => number;
  #reported = 0;
  #timer: number | undefined;

  /** `dropped` tells how many records were lost so far. */
  constructor(
    cell: string,
    ring: LogRing,
    options: { places: ComponentPlace[]; dropped: () => number },
  ) {
    this.#cell = cell;
    this.#ring = ring;
    this.#places = options.places;
    this.#dropped = options.dropped;
    this.#schedule(INTERVAL_MS);
  }

  /** Takes what is left when the cell is dead, and ends. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#emit(this.#ring.drain());
    this.#emit(this.#ring.drainDead());
    this.#reportDropped();
  }

  #schedule(delay: number): void {
    this.#timer = setTimeout(() => {
      const count = this.#emit(this.#ring.drain());
      if (count === 0) this.#reportDropped();
      this.#schedule(count > BUSY_RECORDS ? BUSY_INTERVAL_MS : INTERVAL_MS);
    }, delay);
  }

  #emit(records: PluginLog[]): number {
    for (const record of records) {
      const place = this.#placeOf(record);
      const level = LEVELS[Math.min(Math.max(record.level, 1), LEVELS.length) - 1]!;
      logText(categoryOf(place), level, {
        text: record.message,
        timestamp: milliseconds(record.timestamp),
        properties: this.#properties(record, place),
      });
    }
    return records.length;
  }

  /** Components written in TypeScript log through the cell, and name themselves in fields. */
  #placeOf({ component, fields }: PluginLog): ComponentPlace | undefined {
    if (component !== undefined) return this.#places[component];
    return this.#places.find((place) =>
      place.pipeline.id === fields.pipeline && place.component.id === fields.component
    );
  }

  #properties(record: PluginLog, place: ComponentPlace | undefined): Record<string, unknown> {
    const { target, spanId, parentSpanId, thread, truncated } = record;
    const { pipeline, plugin, component, ...others } = record.fields;
    // A record of the cell itself says in its fields what it is about.
    const own = record.component === undefined;
    const fields = own ? others : record.fields;
    return {
      cell: this.#cell,
      ...(own &&
        { ...(pipeline !== undefined && { pipeline }), ...(plugin !== undefined && { plugin }) }),
      ...(own && component !== undefined && { component }),
      ...(place && {
        pipeline: place.pipeline.id,
        plugin: place.component.plugin,
        component: place.component.id,
      }),
      ...(target && { target }),
      ...(spanId !== 0n && { span_id: hex(spanId) }),
      ...(parentSpanId !== 0n && { parent_span_id: hex(parentSpanId) }),
      thread,
      ...(Object.keys(fields).length > 0 && { fields }),
      ...(truncated && { truncated }),
    };
  }

  #reportDropped(): void {
    const dropped = this.#dropped();
    const lost = dropped - this.#reported;
    this.#reported = dropped;
    if (lost <= 0) return;
    logText(["busbar", "cell"], "warning", {
      text:
        `Lost ${lost} log records of cell "${this.#cell}": they came faster than they were read`,
      properties: { cell: this.#cell, lost },
    });
  }
}

function categoryOf(place: ComponentPlace | undefined): string[] {
  return place === undefined ? ["busbar", "cell"] : ["busbar", "plugin", place.component.plugin];
}

/** The time of a record; now, when a plugin gave one that no date can have. */
function milliseconds(nanoseconds: bigint): number {
  const value = Number(nanoseconds / 1_000_000n);
  return Math.abs(value) <= LAST_DATE_MS ? value : Date.now();
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}
