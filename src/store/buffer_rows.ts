import { checksum, sequenceNumber } from "./checksum.ts";
import type { Database, Row } from "./database.ts";
import { isDamage } from "./errors.ts";

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
  AND id NOT IN (SELECT id FROM broken)`;

/** The table of batches that wait to be fed into the pipeline. */
export class BufferRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  append(rows: readonly BufferRow[]): void {
    const action = "write buffer rows to";
    this.#database.requireSpace(action);
    this.#database.transaction(action, () => {
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
    const drop = () => {
      const dropped = { rows: 0, events: 0, bytes: 0 };
      while (dropped.bytes < bytesToFree) {
        const row = this.#database.get(sql, source, from, from);
        if (row === undefined) break;
        this.#remove(row.id as bigint);
        dropped.rows++;
        dropped.events += Number(row.count);
        dropped.bytes += Number(row.bytes);
      }
      return dropped;
    };
    return this.avoidingDamage([source], () => {
      return this.#database.transaction("drop buffer rows from", drop);
    });
  }

  /** For use inside a transaction that `avoidingDamage()` makes; how many rows. */
  removeUpTo(source: string, sequence: number): number {
    const sql = `DELETE FROM buffer WHERE source = ? AND last_sequence <= ?
      AND id NOT IN (SELECT id FROM broken)`;
    return this.#database.run(sql, source, sequenceNumber(sequence));
  }

  /** Does a transaction that removes rows, and once more without those that turn out to be broken. */
  avoidingDamage<T>(sources: string[], transaction: () => T): T {
    try {
      return transaction();
    } catch (error) {
      if (!isDamage(error) || !this.#findBroken(sources)) throw error;
      return transaction();
    }
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
        const found = this.#database.get(sql, source, from, 0);
        const row = found === undefined ? null : this.#load(found.id as bigint);
        if (found === undefined || row !== null) return { row, corrupt, corruptEvents };
        corrupt++;
        corruptEvents += Number(found.count);
      }
    });
  }

  /** The row, if it is as it was written; else it is removed or, where that cannot be, never found again. */
  #load(id: bigint): BufferRow | null {
    const row = this.#get(id);
    const sound = row && soundRow(row);
    if (sound) return sound;
    if (row) this.#remove(id);
    else this.#markBroken(id);
    return null;
  }

  /** Null when its pages are damaged. */
  #get(id: bigint): Row | null {
    try {
      return this.#database.get("SELECT * FROM buffer WHERE id = ?", id) ?? null;
    } catch (error) {
      if (isDamage(error)) return null;
      throw error;
    }
  }

  /** Whether there were any. SQLite must not be in a transaction: after meeting damage it does nothing more in that one. */
  #findBroken(sources: string[]): boolean {
    return this.#database.read("read buffer rows from", () => {
      const ids = sources.flatMap((source) =>
        this.#database.all(FIND, source, 0, 0).map(({ id }) => id as bigint)
      );
      const broken = ids.filter((id) => this.#get(id) === null);
      for (const id of broken) this.#markBroken(id);
      return broken.length > 0;
    });
  }

  #markBroken(id: bigint): void {
    this.#database.run("INSERT OR IGNORE INTO broken VALUES (?)", id);
  }

  #remove(id: bigint): void {
    this.#database.run("DELETE FROM buffer WHERE id = ?", id);
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
