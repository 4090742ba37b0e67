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

/** Looks at the index only, so that rows can be found that cannot be read. */
const FIND = `SELECT id, last_sequence, count, bytes FROM buffer
  WHERE source = ? AND last_sequence >= ? AND first_sequence >= ?
  AND id NOT IN (SELECT value FROM json_each(?))`;

/** The table of batches that wait to be fed into the pipeline. */
export class BufferRows {
  readonly #database: Database;
  /** Ids of rows that SQLite can neither read nor remove; they stay until the file is set aside. */
  readonly #broken = new Set<number>();

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
    const sql = `${FIND} ORDER BY last_sequence LIMIT 1`;
    return this.#read(sql, source, sequenceNumber(afterSequence) + 1);
  }

  last(source: string): BufferRead {
    return this.#read(`${FIND} ORDER BY last_sequence DESC LIMIT 1`, source, 0);
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
    const sql = `${FIND} ORDER BY last_sequence LIMIT 1`;
    const from = sequenceNumber(notBeforeSequence);
    return this.#database.transaction("drop buffer rows from", () => {
      const dropped = { rows: 0, events: 0, bytes: 0 };
      while (dropped.bytes < bytesToFree) {
        const row = this.#database.get(sql, source, from, from, this.#brokenIds());
        if (row === undefined) break;
        if (!this.#remove(Number(row.id))) continue;
        dropped.rows++;
        dropped.events += Number(row.count);
        dropped.bytes += Number(row.bytes);
      }
      return dropped;
    });
  }

  /** For use inside a transaction; how many rows. */
  removeUpTo(source: string, sequence: number): number {
    const range = `FROM buffer WHERE source = ? AND last_sequence <= ?
      AND id NOT IN (SELECT value FROM json_each(?))`;
    const values = [source, sequenceNumber(sequence), this.#brokenIds()];
    let removed = 0;
    const all = () => removed = this.#database.run(`DELETE ${range}`, ...values);
    if (this.#database.attempt(all)) return removed;
    const rows = this.#database.all(`SELECT id ${range}`, ...values);
    return rows.filter(({ id }) => this.#remove(Number(id))).length;
  }

  *problems(): Generator<string> {
    for (const row of this.#database.each("SELECT * FROM buffer ORDER BY source, last_sequence")) {
      if (soundRow(row) !== null) continue;
      const { source, first_sequence, last_sequence } = row;
      yield `Buffer of source "${source}", events ${first_sequence} to ${last_sequence}: checksum differs; they are lost: the pipeline skips and counts them`;
    }
  }

  #read(sql: string, source: string, from: number): BufferRead {
    return this.#database.read("read buffer rows from", () => {
      let corrupt = 0;
      let corruptEvents = 0;
      for (;;) {
        const found = this.#database.get(sql, source, from, 0, this.#brokenIds());
        const row = found === undefined ? null : this.#load(Number(found.id));
        if (found === undefined || row !== null) return { row, corrupt, corruptEvents };
        corrupt++;
        corruptEvents += Number(found.count);
        this.#remove(Number(found.id));
      }
    });
  }

  /** The row, if it is as it was written. */
  #load(id: number): BufferRow | null {
    let row: Row | undefined;
    const load = () => row = this.#database.get("SELECT * FROM buffer WHERE id = ?", id);
    return this.#database.attempt(load) && row !== undefined ? soundRow(row) : null;
  }

  /** Whether it could be removed. */
  #remove(id: number): boolean {
    const removed = this.#database.attempt(() => {
      this.#database.run("DELETE FROM buffer WHERE id = ?", id);
    });
    if (!removed) this.#broken.add(id);
    return removed;
  }

  #brokenIds(): string {
    return JSON.stringify([...this.#broken]);
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
