import type { Database } from "./database.ts";
import { isBusy, storeError } from "./errors.ts";

/** What a kind of database holds, and how it came to. */
export interface Schema {
  /** What messages call it, e.g. "pipeline store". */
  title: string;
  /** SQLite's application_id: which of our databases it is. */
  applicationId: number;
  /** The statements that lead from version n to n + 1, for n from 0. Only ever appended to. */
  migrations: readonly (readonly string[])[];
}

/**
 * Brings the database to the schema's newest version, one version after the other, in one transaction, and proves that it can be
 * written. A file that is not of this schema is not touched.
 *
 * @throws {StoreError} "Corrupt" for a foreign file, "Newer" for one of a later busbar
 */
export function migrate(database: Database, schema: Schema): void {
  const action = `open ${schema.title}`;
  const newest = schema.migrations.length;
  const version = judge(database, schema);
  if (version === 0) {
    // Larger pages than by default, since batches are large: half the time to write one.
    database.pragma("page_size = 16384");
    database.pragma("auto_vacuum = INCREMENTAL");
  }
  useWal(database);
  database.pragma("synchronous = FULL");
  // A burst leaves no large log behind.
  database.pragma(`journal_size_limit = ${64 * 2 ** 20}`);
  if (version === newest) return proveWritable(database, schema);
  database.transaction(action, () => {
    // Another process may have migrated it meanwhile.
    const version = judge(database, schema);
    for (const statements of schema.migrations.slice(version)) {
      for (const statement of statements) database.run(statement);
    }
    if (version < newest) stamp(database, schema);
  });
}

function stamp(database: Database, schema: Schema): void {
  database.pragma(`application_id = ${schema.applicationId}`);
  database.pragma(`user_version = ${schema.migrations.length}`);
}

/** Fails where the file may only be read, which a transaction that writes nothing does not; takes no space on the disk. */
function proveWritable(database: Database, schema: Schema): void {
  database.run("BEGIN IMMEDIATE");
  try {
    stamp(database, schema);
  } finally {
    database.run("ROLLBACK");
  }
}

/** The version of the database; 0 for an empty one. */
function judge(database: Database, schema: Schema): number {
  const { path } = database;
  const action = `open ${schema.title}`;
  // One look at the file, since another process may be making it.
  database.run("SAVEPOINT judge");
  const id = Number(database.pragma("application_id"));
  const version = Number(database.pragma("user_version"));
  const empty = id === 0 && version === 0 &&
    database.get("SELECT name FROM sqlite_schema LIMIT 1") === undefined;
  database.run("RELEASE judge");
  if (!empty && id !== schema.applicationId) {
    throw storeError("Corrupt", `it is not a ${schema.title} of busbar`, { action, path });
  }
  const newest = schema.migrations.length;
  if (version > newest) {
    const reason = `its schema has version ${version}, this busbar knows ${newest}`;
    throw storeError("Newer", reason, { action, path });
  }
  return version;
}

/** SQLite does not wait by itself when two processes change the journal mode at once. */
function useWal(database: Database): void {
  for (let attempt = 1;; attempt++) {
    try {
      database.pragma("journal_mode = WAL");
      return;
    } catch (error) {
      if (!isBusy(error) || attempt === 100) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
