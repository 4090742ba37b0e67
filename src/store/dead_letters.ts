import type { SQLInputValue } from "node:sqlite";
import { checksum, sequenceNumber } from "./checksum.ts";
import type { Database, Row } from "./database.ts";

/** An event that a component did not take, and why. */
export interface DeadLetterInit {
  component: string;
  plugin: string;
  /** "Failed", "Invalid" or "Poison". */
  code: string;
  error: string;
  attempts: number;
  source: string;
  sequence: number;
  operation: number;
  contentType: number;
  /** As in the event. */
  timestamp: bigint;
  flags: number;
  key: Uint8Array;
  payload: Uint8Array;
  attributes: Uint8Array;
}

export interface DeadLetter extends DeadLetterInit {
  /** Never used again, also when the letter is gone. */
  id: number;
  /** When it was stored, in milliseconds since 1970. */
  at: number;
  /** It was asked to be offered again, and has not been yet. */
  replaying: boolean;
}

/** Which letters; all that every given field fits. */
export interface LetterFilter {
  ids?: number[];
  component?: string;
  code?: string;
  source?: string;
  /** Stored before this time, in milliseconds since 1970. */
  before?: number;
  /** Stored at this time or later, in milliseconds since 1970. */
  after?: number;
}

/** A letter that was offered again in vain. */
export interface FailedReplay {
  id: number;
  error: string;
  attempts: number;
}

const INSERT = `INSERT INTO letters (
  at, component, plugin, code, error, attempts, source, sequence, operation, content_type,
  timestamp, flags, key, payload, attributes, bytes, checksum
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
/** What a letter takes beyond its event and texts, roughly. */
const OVERHEAD = 200;
const DAMAGED = "its stored bytes are damaged: checksum differs";

/** The table of dead letters. The ones without an action of their own are for use inside a transaction. */
export class DeadLetters {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add(letter: DeadLetterInit, at: number): void {
    const { component, plugin, code, error, attempts, source, operation, contentType } = letter;
    const { timestamp, flags, key, payload, attributes } = letter;
    const texts = component.length + plugin.length + code.length + error.length + source.length;
    const bytes = OVERHEAD + texts + key.length + payload.length + attributes.length;
    this.#database.run(
      INSERT,
      ...[
        at,
        component,
        plugin,
        code,
        text(error),
        attempts,
        source,
        sequenceNumber(letter.sequence),
      ],
      ...[operation, contentType, timestamp, flags, key, payload, attributes, bytes],
      letterChecksum(letter, at),
    );
  }

  remove(id: number): void {
    this.#database.run("DELETE FROM letters WHERE id = ?", id);
  }

  failAgain({ id, error, attempts }: FailedReplay): void {
    const sql = "UPDATE letters SET error = ?, attempts = ?, replaying = 0 WHERE id = ?";
    this.#database.run(sql, text(error), attempts, id);
  }

  list(filter: LetterFilter, page: { limit: number; offset: number }): DeadLetter[] {
    const { where, values } = condition(filter);
    const sql = `SELECT * FROM letters WHERE ${where} ORDER BY id LIMIT ? OFFSET ?`;
    return this.#database.read("read dead letters from", () => {
      return this.#database.all(sql, ...values, page.limit, page.offset).map(letterOf);
    });
  }

  count(filter: LetterFilter): number {
    const { where, values } = condition(filter);
    const sql = `SELECT count(*) AS n FROM letters WHERE ${where}`;
    return this.#database.read("count dead letters of", () => {
      return Number(this.#database.get(sql, ...values)!.n);
    });
  }

  bytes(): number {
    return this.#database.read("count dead letters of", () => {
      const row = this.#database.get("SELECT bytes FROM usage WHERE name = 'letters'");
      return Number(row?.bytes ?? 0);
    });
  }

  drop(filter: LetterFilter): number {
    const { where, values } = condition(filter);
    return this.#database.transaction("drop dead letters from", () => {
      return this.#database.run(`DELETE FROM letters WHERE ${where}`, ...values);
    });
  }

  requestReplay(filter: LetterFilter): number {
    const { where, values } = condition(filter);
    const sql = `UPDATE letters SET replaying = 1 WHERE ${where}`;
    return this.#database.transaction("mark dead letters in", () => {
      return this.#database.run(sql, ...values);
    });
  }

  replays(limit: number, afterId: number): DeadLetter[] {
    const sql = "SELECT * FROM letters WHERE replaying = 1 AND id > ? ORDER BY id LIMIT ?";
    const action = "read dead letters from";
    const rows = this.#database.read(action, () => this.#database.all(sql, afterId, limit));
    const damaged = rows.filter((row) => !isSound(row)).map(letterOf);
    if (damaged.length === 0) return rows.map(letterOf);
    // Not offered, since nobody knows what they say, and no longer in the way of those behind.
    this.#database.transaction("mark dead letters in", () => {
      for (const { id, attempts } of damaged) this.failAgain({ id, attempts, error: DAMAGED });
    });
    return this.replays(limit, afterId);
  }

  trim({ maxBytes, maxAgeMs, now }: { maxBytes: number; maxAgeMs: number; now: number }): number {
    // One that waits to be offered again does not get too old meanwhile.
    const old = "at < ? AND replaying = 0";
    const expired = this.#database.read("read dead letters from", () => {
      return this.#database.get(`SELECT id FROM letters WHERE ${old} LIMIT 1`, now - maxAgeMs);
    });
    if (expired === undefined && this.bytes() <= maxBytes) return 0;
    return this.#database.transaction("trim dead letters of", () => {
      let gone = this.#database.run(`DELETE FROM letters WHERE ${old}`, now - maxAgeMs);
      let excess = this.bytes() - maxBytes;
      while (excess > 0) {
        const row = this.#database.get("SELECT id, bytes FROM letters ORDER BY id LIMIT 1");
        if (row === undefined) break;
        this.remove(Number(row.id));
        excess -= Number(row.bytes);
        gone++;
      }
      return gone;
    });
  }

  *problems(): Generator<string> {
    for (const row of this.#database.each("SELECT * FROM letters")) {
      if (!isSound(row)) {
        yield `Dead letter ${row.id}: checksum differs; it is not offered again; drop it with "busbar dlq drop"`;
      }
    }
  }
}

/** SQLite's texts end at a zero, and nobody knows what an error of a plugin says. */
function text(error: string): string {
  return error.replaceAll("\0", "\ufffd");
}

/** Over what does not change as long as the letter is there. */
function letterChecksum(letter: DeadLetterInit, at: number): number {
  const { component, plugin, code, source, sequence, operation, contentType } = letter;
  const { timestamp, flags, key, payload, attributes } = letter;
  return checksum(
    ...[at, component, plugin, code, source, sequence, operation, contentType, timestamp, flags],
    ...[key, payload, attributes],
  );
}

function isSound(row: Row): boolean {
  const letter = letterOf(row);
  return letterChecksum(letter, letter.at) === Number(row.checksum);
}

function letterOf(row: Row): DeadLetter {
  return {
    id: Number(row.id),
    at: Number(row.at),
    component: row.component as string,
    plugin: row.plugin as string,
    code: row.code as string,
    error: row.error as string,
    attempts: Number(row.attempts),
    replaying: row.replaying === 1n,
    source: row.source as string,
    sequence: Number(row.sequence),
    operation: Number(row.operation),
    contentType: Number(row.content_type),
    timestamp: row.timestamp as bigint,
    flags: Number(row.flags),
    key: row.key as Uint8Array,
    payload: row.payload as Uint8Array,
    attributes: row.attributes as Uint8Array,
  };
}

function condition(filter: LetterFilter): { where: string; values: SQLInputValue[] } {
  const { ids, component, code, source, before, after } = filter;
  const parts = ([
    ["id IN (SELECT value FROM json_each(?))", ids && JSON.stringify(ids)],
    ["component = ?", component],
    ["code = ?", code],
    ["source = ?", source],
    ["at < ?", before],
    ["at >= ?", after],
  ] as const).filter(([, value]) => value !== undefined);
  return {
    where: parts.map(([sql]) => sql).join(" AND ") || "TRUE",
    values: parts.map(([, value]) => value!),
  };
}
