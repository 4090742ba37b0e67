import type { Schema } from "./migrations.ts";

/** What a pipeline's store holds; `docs/architecture.md`, "Persistence", describes the tables. */
export const PIPELINE_SCHEMA: Schema = {
  title: "pipeline store",
  applicationId: 0x62757350,
  migrations: [[
    `CREATE TABLE marks (
      source TEXT PRIMARY KEY,
      sequence INTEGER NOT NULL,
      position BLOB NOT NULL,
      checksum INTEGER NOT NULL
    ) STRICT`,
    `CREATE TABLE states (
      component TEXT PRIMARY KEY,
      version INTEGER NOT NULL,
      data BLOB NOT NULL,
      checksum INTEGER NOT NULL
    ) STRICT`,
    // An id is never used again: what became of a letter is reported by it later.
    `CREATE TABLE letters (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      component TEXT NOT NULL,
      plugin TEXT NOT NULL,
      code TEXT NOT NULL,
      error TEXT NOT NULL,
      attempts INTEGER NOT NULL,
      replaying INTEGER NOT NULL DEFAULT 0,
      source TEXT NOT NULL,
      sequence INTEGER NOT NULL,
      operation INTEGER NOT NULL,
      content_type INTEGER NOT NULL,
      timestamp INTEGER NOT NULL,
      flags INTEGER NOT NULL,
      key BLOB NOT NULL,
      payload BLOB NOT NULL,
      attributes BLOB NOT NULL,
      bytes INTEGER NOT NULL,
      checksum INTEGER NOT NULL
    ) STRICT`,
    "CREATE INDEX letters_at ON letters (at)",
    "CREATE INDEX letters_replaying ON letters (id) WHERE replaying = 1",
    `CREATE TABLE buffer (
      id INTEGER PRIMARY KEY,
      source TEXT NOT NULL,
      first_sequence INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      count INTEGER NOT NULL,
      bytes INTEGER NOT NULL,
      checksum INTEGER NOT NULL,
      position BLOB NOT NULL,
      data BLOB NOT NULL
    ) STRICT`,
    // Not unique: the events of a row that is broken may come from the source again.
    `CREATE INDEX buffer_order
      ON buffer (source, last_sequence, first_sequence, count, bytes)`,
    // Rows whose pages are damaged: SQLite can neither read nor remove them.
    "CREATE TABLE broken (id INTEGER PRIMARY KEY) STRICT",
    // Sums, so that nobody has to read all rows to know them; kept by triggers, whatever deletes.
    `CREATE TABLE usage (
      name TEXT PRIMARY KEY,
      items INTEGER NOT NULL,
      events INTEGER NOT NULL,
      bytes INTEGER NOT NULL
    ) STRICT`,
    ...counted("letters", { name: "'letters'", other: "'letters'", events: "1" }),
    ...counted("buffer", {
      name: "'buffer ' || new.source",
      other: "'buffer ' || old.source",
      events: "count",
    }),
  ]],
};

function counted(
  table: string,
  columns: { name: string; other: string; events: string },
): string[] {
  const { name, other, events } = columns;
  const of = (row: string) => events === "1" ? "1" : `${row}.${events}`;
  return [
    `CREATE TRIGGER ${table}_added AFTER INSERT ON ${table} BEGIN
      INSERT INTO usage VALUES (${name}, 1, ${of("new")}, new.bytes)
      ON CONFLICT (name) DO UPDATE SET
        items = items + 1, events = events + excluded.events, bytes = bytes + excluded.bytes;
    END`,
    `CREATE TRIGGER ${table}_removed AFTER DELETE ON ${table} BEGIN
      UPDATE usage SET items = items - 1, events = events - ${of("old")}, bytes = bytes - old.bytes
      WHERE name = ${other};
    END`,
  ];
}
