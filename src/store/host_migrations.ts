import type { Schema } from "./migrations.ts";

/** The host's own database: plugins with their versions, what is wanted of pipelines, and who changed what. */
export const HOST_SCHEMA: Schema = {
  title: "host store",
  applicationId: 0x6262_6873,
  migrations: [[
    `CREATE TABLE plugins (
       name TEXT PRIMARY KEY,
       enabled INTEGER NOT NULL DEFAULT 1,
       settings TEXT NOT NULL DEFAULT '{}',
       digest TEXT,
       rolled_back_from TEXT
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE plugin_versions (
       name TEXT NOT NULL,
       digest TEXT NOT NULL,
       version TEXT NOT NULL,
       folder TEXT NOT NULL,
       first_seen INTEGER NOT NULL,
       turn INTEGER NOT NULL,
       PRIMARY KEY (name, digest)
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE desired_state (
       pipeline TEXT PRIMARY KEY,
       state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'paused'))
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE audit (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       at INTEGER NOT NULL,
       who TEXT NOT NULL,
       action TEXT NOT NULL,
       target TEXT NOT NULL,
       before TEXT NOT NULL,
       after TEXT NOT NULL,
       result TEXT NOT NULL
     ) STRICT`,
  ]],
};
