import { checksum, sequenceNumber } from "./checksum.ts";
import type { Database, Row } from "./database.ts";

/** One batch of a buffered source. */
export interface BufferRow {
  source: string;
  firstSequence: number;
  lastSequence: number;
  /** Events in it. */
  count: number;
  /** The records, end to end. */
  data: Uint8Array;
  /** Where the source resumes after it. */
  position: Uint8Array;
}

/** A row that was read, and what was found damaged, and removed, on the way to it. */
export interface BufferRead {
  row: BufferRow | null;
  /** Damaged rows. */
  corrupt: number;
  /** Events that were in them. */
  corruptEvents: number;
}

export interface BufferUsage {
  rows: number;
  events: number;
  /** Of data and positions. */
  bytes: number;
}

const INSERT = `INSERT INTO buffer (
  source, first_sequence, last_sequence, count, bytes, checksum, position, data
) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;

/** The table of batches that wait to be fed into the pipeline. */
export class BufferRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  append(rows: readonly BufferRow[]): void {
    this.#database.transaction("write buffer rows to", () => {
      for (const row of rows) {
        const { source, count, position, data } = row;
        this.#database.run(
          INSERT,
          ...[source, sequenceNumber(row.firstSequence), sequenceNumber(row.lastSequence), count],
          ...[data.length + position.length, rowChecksum(row), position, data],
        );
      }
    });
  }

  next(source: string, afterSequence: number): BufferRead {
    return this.#read(
      "SELECT * FROM buffer WHERE source = ? AND last_sequence > ? ORDER BY last_sequence LIMIT 1",
      [source, sequenceNumber(afterSequence)],
    );
  }

  last(source: string): BufferRead {
    return this.#read(
      "SELECT * FROM buffer WHERE source = ? ORDER BY last_sequence DESC LIMIT 1",
      [source],
    );
  }

  usage(source: string): BufferUsage {
    const sql = "SELECT items, events, bytes FROM usage WHERE name = 'buffer ' || ?";
    const row = this.#database.read("count buffer rows of", () => this.#database.get(sql, source));
    return {
      rows: Number(row?.items ?? 0),
      events: Number(row?.events ?? 0),
      bytes: Number(row?.bytes ?? 0),
    };
  }

  dropOldest(
    source: string,
    bytesToFree: number,
    notBeforeSequence: number,
  ): { rows: number; events: number; bytes: number } {
    const sql = `SELECT id, count, bytes FROM buffer
      WHERE source = ? AND last_sequence >= ? AND first_sequence >= ? ORDER BY last_sequence LIMIT 1`;
    const from = sequenceNumber(notBeforeSequence);
    return this.#database.transaction("drop buffer rows from", () => {
      const dropped = { rows: 0, events: 0, bytes: 0 };
      while (dropped.bytes < bytesToFree) {
        const row = this.#database.get(sql, source, from, from);
        if (row === undefined) break;
        this.#remove(row);
        dropped.rows++;
        dropped.events += Number(row.count);
        dropped.bytes += Number(row.bytes);
      }
      return dropped;
    });
  }

  /** For use inside a transaction. */
  removeUpTo(source: string, sequence: number): number {
    const sql = "DELETE FROM buffer WHERE source = ? AND last_sequence <= ?";
    return this.#database.run(sql, source, sequenceNumber(sequence));
  }

  *problems(): Generator<string> {
    for (const row of this.#database.each("SELECT * FROM buffer ORDER BY source, last_sequence")) {
      if (soundRow(row) !== null) continue;
      const { source, first_sequence, last_sequence } = row;
      yield `Buffer of source "${source}", events ${first_sequence} to ${last_sequence}: checksum differs; they are lost: the pipeline skips and counts them`;
    }
  }

  #read(sql: string, values: (string | number)[]): BufferRead {
    return this.#database.read("read buffer rows from", () => {
      let corrupt = 0;
      let corruptEvents = 0;
      for (;;) {
        const row = this.#database.get(sql, ...values);
        const sound = row === undefined ? null : soundRow(row);
        if (row === undefined || sound !== null) return { row: sound, corrupt, corruptEvents };
        corrupt++;
        corruptEvents += Number(row.count);
        this.#remove(row);
      }
    });
  }

  #remove(row: Row): void {
    this.#database.run("DELETE FROM buffer WHERE id = ?", row.id as bigint);
  }
}

function rowChecksum(row: BufferRow): number {
  const { source, firstSequence, lastSequence, count, position, data } = row;
  return checksum(source, firstSequence, lastSequence, count, position, data);
}

/** The row, if it is as it was written. */
function soundRow(row: Row): BufferRow | null {
  const sound: BufferRow = {
    source: row.source as string,
    firstSequence: Number(row.first_sequence),
    lastSequence: Number(row.last_sequence),
    count: Number(row.count),
    data: row.data as Uint8Array,
    position: row.position as Uint8Array,
  };
  return rowChecksum(sound) === Number(row.checksum) ? sound : null;
}
