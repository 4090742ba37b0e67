import type { BufferReading } from "../../ffi/flight_recorder.ts";
import type { BufferSettings } from "../config/resolved.ts";
import { StoreError } from "../store/errors.ts";
import type { BufferRow, PipelineStore } from "../store/pipeline_store.ts";

export interface DiskBufferOptions {
  store: Pick<
    PipelineStore,
    "appendRows" | "nextRow" | "lastRow" | "bufferUsage" | "dropOldestRows"
  >;
  /** Id of the source. */
  source: string;
  settings: BufferSettings;
  /** Every event up to this one is finished. */
  sequence: number;
  /** Is told whenever it holds more or less, or has lost something. */
  report(reading: BufferReading): void;
  /** Events were given up, or found damaged. */
  lost(what: "dropped" | "corrupt", events: number): void;
}

/**
 * The rows of one source in the pipeline's store: what was polled and is not finished everywhere. Rows are read in order, each
 * once; those of a finished checkpoint are deleted by the checkpoint. Methods throw `StoreError` when the store fails.
 */
export class DiskBuffer {
  readonly settings: BufferSettings;
  readonly #options: DiskBufferOptions;
  /** Events up to this one were read, or handed on without being read. */
  #read: number;
  /** The newest event in a row. */
  #last: number;
  #position: Uint8Array<ArrayBuffer> | null = null;
  #reading: BufferReading = { bytes: 0, events: 0, dropped: 0, corrupt: 0 };

  constructor(options: DiskBufferOptions) {
    this.#options = options;
    this.settings = options.settings;
    this.#read = this.#last = options.sequence;
    const { row, corruptEvents } = options.store.lastRow(options.source);
    if (row !== null && row.lastSequence > options.sequence) {
      this.#last = row.lastSequence;
      this.#position = row.position.slice();
    }
    this.#noteCorrupt(corruptEvents);
    this.refresh();
  }

  /** The newest event that it has ever held. */
  get last(): number {
    return this.#last;
  }

  /** Where the source goes on after {@linkcode DiskBuffer.last}; null: after the checkpoint. */
  get position(): Uint8Array<ArrayBuffer> | null {
    return this.#position;
  }

  /** Whether there is nothing left to read. */
  get drained(): boolean {
    return this.#read >= this.#last;
  }

  /** Whether `waiting` bytes and then `more` find room. What is larger than all the room there is does while it is empty. */
  hasRoom(waiting: number, more: number): boolean {
    const bytes = this.#reading.bytes + waiting;
    return bytes === 0 || bytes + more <= this.settings.maxBytes;
  }

  /** Whether it is more than half full, and `finished` events of what it holds are a good part. */
  isTight(finished: number): boolean {
    const { bytes, events } = this.#reading;
    return 2 * bytes > this.settings.maxBytes && 4 * finished >= events;
  }

  /**
   * Makes rows durable, from the first on, and says how many: `kept`. The next `refused` were given up; the others have
   * to wait. With `force` all are kept, whatever the limit.
   */
  append(rows: readonly BufferRow[], { force = false } = {}): { kept: number; refused: number } {
    const { store } = this.#options;
    const { whenFull } = this.settings;
    const total = rows.reduce((sum, row) => sum + bytesOf(row), 0);
    const excess = this.#reading.bytes + total - this.settings.maxBytes;
    if (excess > 0 && whenFull === "drop_oldest" && !force) this.#drop(excess);
    let kept = force ? rows.length : this.#fitting(rows);
    try {
      if (kept > 0) store.appendRows(rows.slice(0, kept));
    } catch (error) {
      const full = error instanceof StoreError && error.code === "Full";
      if (!full || whenFull === "block" || force) throw error;
      // The disk has no room, which is no better than when the limit has none.
      if (whenFull === "drop_oldest" && !this.#drop(total)) throw error;
      kept = 0;
    }
    const newest = rows[kept - 1];
    if (newest !== undefined) {
      this.#last = newest.lastSequence;
      this.#position = newest.position.slice();
    }
    const refused = whenFull === "reject" ? rows.slice(kept) : [];
    this.#noteDropped(refused.reduce((sum, { count }) => sum + count, 0));
    this.refresh();
    return { kept, refused: refused.length };
  }

  /** The next row in order; null when there is none. */
  next(): BufferRow | null {
    const { store, source } = this.#options;
    const { row, corruptEvents } = store.nextRow(source, this.#read);
    if (corruptEvents > 0) {
      this.#noteCorrupt(corruptEvents);
      this.refresh();
    }
    this.#read = row?.lastSequence ?? this.#last;
    return row;
  }

  /** Notes that the row which ends at `sequence`, the next in order, need not be read: its events are at hand. */
  skip(sequence: number): void {
    this.#read = sequence;
  }

  /** Looks how much it holds: checkpoints delete rows. */
  refresh(): void {
    const { store, source, report } = this.#options;
    const { bytes, events } = store.bufferUsage(source);
    this.#reading = { ...this.#reading, bytes, events };
    report(this.#reading);
  }

  /** How many rows there is room for, from the first on. */
  #fitting(rows: readonly BufferRow[]): number {
    let waiting = 0;
    for (const [i, row] of rows.entries()) {
      const bytes = bytesOf(row);
      if (!this.hasRoom(waiting, bytes)) return i;
      waiting += bytes;
    }
    return rows.length;
  }

  /** Gives up the oldest rows that were not read yet; whether there was any. */
  #drop(bytes: number): boolean {
    const { store, source } = this.#options;
    const { rows, events } = store.dropOldestRows(source, bytes, this.#read + 1);
    this.#noteDropped(events);
    if (rows > 0) this.refresh();
    return rows > 0;
  }

  #noteDropped(events: number): void {
    if (events === 0) return;
    this.#reading = { ...this.#reading, dropped: this.#reading.dropped + events };
    this.#options.lost("dropped", events);
  }

  #noteCorrupt(events: number): void {
    if (events === 0) return;
    this.#reading = { ...this.#reading, corrupt: this.#reading.corrupt + events };
    this.#options.lost("corrupt", events);
  }
}

function bytesOf({ data, position }: BufferRow): number {
  return data.length + position.length;
}
