import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { fileError, isFull, storeError, translate } from "./errors.ts";
import { migrate, type Schema } from "./migrations.ts";

export interface DatabaseOptions {
  /** Milliseconds to wait for another process's transaction. */
  busyTimeout?: number;
  /** Pages that the file may have at most; without it, as many as the disk holds. */
  maxPages?: number;
  /** Bytes on the disk that `requireSpace()` leaves for others; default 32 MiB. */
  reserve?: number;
}

/** A row as SQLite gives it; integers are bigint, so that none is rounded. */
export type Row = Record<string, bigint | string | Uint8Array | null>;

/** Twice what SQLite's log grows to before it is moved to the database, in bytes. */
const RESERVE = 32 * 2 ** 20;

/**
 * One SQLite file with a schema of ours, in WAL mode with every commit fsynced; several processes may have it open. SQLite's
 * errors come as `StoreError`.
 */
export class Database {
  readonly path: string;
  readonly #connection: DatabaseSync;
  readonly #reserve: number;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens the file and brings its schema up to date; makes it, readable for its owner only, when there is none.
   *
   * @throws {StoreError} also for a file that is not ours, which stays as it is
   */
  static open(path: string, schema: Schema, options: DatabaseOptions = {}): Database {
    const action = `open ${schema.title}`;
    createPrivate(path, action);
    let connection: DatabaseSync;
    try {
      connection = new DatabaseSync(path, { timeout: options.busyTimeout ?? 5000 });
    } catch (error) {
      throw translate(error, action, path);
    }
    const database = new Database(path, connection, options.reserve ?? RESERVE);
    try {
      database.read(action, () => {
        if (options.maxPages) database.pragma(`max_page_count = ${options.maxPages}`);
        migrate(database, schema);
      });
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  private constructor(path: string, connection: DatabaseSync, reserve: number) {
    this.path = path;
    this.#connection = connection;
    this.#reserve = reserve;
  }

  /** Runs a statement that changes something; how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** Row by row, for more than should be in memory at once. */
  each(sql: string, ...values: SQLInputValue[]): Iterable<Row> {
    return this.#statement(sql).iterate(...values) as Iterable<Row>;
  }

  /** Sets or asks for a pragma; the first column of the first row, if there is one. */
  pragma(text: string): bigint | string | null {
    const statement = this.#connection.prepare(`PRAGMA ${text}`);
    statement.setReadBigInts(true);
    const row = statement.get() as Row | undefined;
    return row === undefined ? null : Object.values(row)[0] as bigint | string;
  }

  /** Does `work`; an error of SQLite says that the action failed, which reads like `read dead letters from`. */
  read<T>(action: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translate(error, action, this.path);
    }
  }

  /**
   * Does `work` as a whole or not at all; durable when it returns. Other processes wait meanwhile. On a full disk it is tried
   * once more after SQLite's log was emptied.
   */
  transaction<T>(action: string, work: () => T): T {
    return this.read(action, () => {
      try {
        return this.#transaction(work);
      } catch (error) {
        if (!isFull(error)) throw error;
        this.#emptyLog();
        return this.#transaction(work);
      }
    });
  }

  /**
   * Throws "Full" before the disk is full. For what is written in bulk: without some space left, SQLite can neither remove
   * rows nor move what is in its log to the database, and the disk would stay full for good.
   */
  requireSpace(action: string): void {
    if (this.#spaceLeft() >= this.#reserve) return;
    this.read(action, () => {
      this.#emptyLog();
      const left = this.#spaceLeft();
      const unused = Number(this.pragma("freelist_count")) * Number(this.pragma("page_size"));
      if (left + unused >= this.#reserve && left >= this.#reserve / 4) return;
      const inMiB = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
      const reason = `only ${inMiB(left)} are left on its disk`;
      throw storeError("Full", reason, { action, path: this.path });
    });
  }

  /** What SQLite finds wrong with the file's structure. */
  quickCheck(): string[] {
    const rows = this.read("check", () => this.all("PRAGMA quick_check"));
    return rows.flatMap((row) => String(Object.values(row)[0]).split("\n"))
      .filter((line) => line !== "ok" && !line.startsWith("***"));
  }

  /** Lets go of the file. Nothing else may be called afterwards, except this once more. */
  close(): void {
    this.#statements.clear();
    if (this.#connection.isOpen) this.#connection.close();
  }

  #transaction<T>(work: () => T): T {
    this.run("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.run("COMMIT");
      return result;
    } catch (error) {
      // After a full disk or an I/O error SQLite may have rolled back by itself.
      if (this.#connection.isTransaction) this.run("ROLLBACK");
      throw error;
    }
  }

  /** Moves the log to the database, as far as there is space, and gives its own space back. */
  #emptyLog(): void {
    try {
      this.pragma("wal_checkpoint(TRUNCATE)");
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /** Bytes; without bound where the file system does not say. */
  #spaceLeft(): number {
    const { bsize, blocks, bavail } = statfsSync(dirname(this.path));
    return blocks === 0 ? Infinity : bsize * bavail;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Makes the file with the right mode. One that exists is not opened: closing it would let go of SQLite's locks on it. */
function createPrivate(path: string, action: string): void {
  try {
    Deno.openSync(path, { createNew: true, write: true, mode: 0o600 }).close();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw fileError(error, action, path);
  }
}
