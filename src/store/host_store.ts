import { isAbsolute, join, relative } from "node:path";
import type { SQLInputValue } from "node:sqlite";
import type { AuditEntry, AuditRecord } from "./audit.ts";
import { Database, type DatabaseOptions, type Row } from "./database.ts";
import { HOST_SCHEMA } from "./host_migrations.ts";
import type { HostState } from "./host_state.ts";

/** What an operator wants of a pipeline. */
export type DesiredState = "running" | "stopped" | "paused";

/** What is known of a plugin besides its files. */
export interface PluginRecord {
  name: string;
  enabled: boolean;
  /** Set through the API; between those of the configuration's `plugins.use` and the component's own. */
  settings: Record<string, unknown>;
  current: PluginVersion | undefined;
}

/** A plugin as it was once used; its files lie in the store. */
export interface PluginVersion {
  name: string;
  version: string;
  /** Of its whole folder. */
  digest: string;
  /** Absolute path of its copy. */
  folder: string;
}

/** Older audit entries are removed. */
const AUDIT_MAX = 10_000;

/** So that a database that somebody else has locked does not hold up the host for long. */
const BUSY_MS = 1_000;

/**
 * The host's own database, `data_dir/busbar.db`. Whatever a method has written is on the disk when it returns. What is asked for all the time is
 * kept in memory, since one host has the folder to itself.
 */
export class HostStore implements Disposable {
  readonly path: string;
  readonly #dataDirectory: string;
  readonly #db: Database;
  #desired = new Map<string, DesiredState>();
  #disabled = new Set<string>();

  private constructor(dataDirectory: string, db: Database) {
    this.path = db.path;
    this.#dataDirectory = dataDirectory;
    this.#db = db;
    this.#remember();
  }

  /** Where the database of a data folder lies. */
  static pathIn(dataDirectory: string): string {
    return join(dataDirectory, "busbar.db");
  }

  /** Opens the database, made anew where there is none. @throws {StoreError} when it cannot be used */
  static open(dataDirectory: string, options: DatabaseOptions = {}): HostStore {
    const path = HostStore.pathIn(dataDirectory);
    const db = Database.open(path, HOST_SCHEMA, { busyTimeout: BUSY_MS, ...options });
    try {
      return new HostStore(dataDirectory, db);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Whether the plugin may be used; it may unless it was disabled. */
  isEnabled(plugin: string): boolean {
    return !this.#disabled.has(plugin);
  }

  /** Names of all plugins that were disabled. */
  disabledPlugins(): ReadonlySet<string> {
    return this.#disabled;
  }

  setEnabled(plugin: string, enabled: boolean): void {
    this.#run(
      `INSERT INTO plugins (name, enabled) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled`,
      plugin,
      enabled ? 1 : 0,
    );
    if (enabled) this.#disabled.delete(plugin);
    else this.#disabled.add(plugin);
  }

  setSettings(plugin: string, settings: Record<string, unknown>): void {
    this.#run(
      `INSERT INTO plugins (name, settings) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET settings = excluded.settings`,
      plugin,
      JSON.stringify(settings),
    );
  }

  /** Undefined for a plugin that was never used nor changed. */
  plugin(name: string): PluginRecord | undefined {
    const row = this.#get("SELECT * FROM plugins WHERE name = ?", name);
    return row && {
      name,
      enabled: row.enabled === 1n,
      settings: JSON.parse(row.settings as string),
      current: this.current(name),
    };
  }

  /** The version of a plugin that is in use, or was last. */
  current(plugin: string): PluginVersion | undefined {
    return this.#version(
      "SELECT v.* FROM plugins p JOIN plugin_versions v USING (name, digest) WHERE p.name = ?",
      plugin,
    );
  }

  /** The version that was in use before the present one. */
  previous(plugin: string): PluginVersion | undefined {
    return this.#version(
      `SELECT v.* FROM plugin_versions v JOIN plugins p USING (name)
       WHERE v.name = ? AND v.digest IS NOT p.digest ORDER BY v.turn DESC LIMIT 1`,
      plugin,
    );
  }

  /** All versions that were in use, the present or last one first. */
  versions(plugin: string): PluginVersion[] {
    return this.#all("SELECT * FROM plugin_versions WHERE name = ? ORDER BY turn DESC", plugin)
      .map((row) => this.#versionOf(row));
  }

  /** Forgets all versions but those `count` that were in use last, and gives these, the newest first. */
  keepVersions(plugin: string, count: number): PluginVersion[] {
    const versions = this.versions(plugin);
    for (const { digest } of versions.slice(count)) {
      this.#run("DELETE FROM plugin_versions WHERE name = ? AND digest = ?", plugin, digest);
    }
    return versions.slice(0, count);
  }

  /** Notes that this version is the one in use now; what was in use before is the previous one then. */
  use({ name, version, digest, folder }: PluginVersion): void {
    this.#transaction(() => {
      this.#run(
        `INSERT INTO plugins (name, digest) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, rolled_back_from = NULL`,
        name,
        digest,
      );
      this.#run(
        `INSERT INTO plugin_versions (name, digest, version, folder, first_seen, turn)
         VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(turn), 0) + 1 FROM plugin_versions))
         ON CONFLICT (name, digest) DO UPDATE
         SET turn = excluded.turn, folder = excluded.folder, version = excluded.version`,
        name,
        digest,
        version,
        isAbsolute(folder) ? relative(this.#dataDirectory, folder) : folder,
        Date.now(),
      );
    });
  }

  /** Notes that the plugin was rolled back from the version with this digest: where its files still lie, a start passes them over. */
  noteRollback(plugin: string, from: string): void {
    this.#run("UPDATE plugins SET rolled_back_from = ? WHERE name = ?", from, plugin);
  }

  /** Digest of the version that the plugin was rolled back from, until another one is used. */
  rolledBackFrom(plugin: string): string | undefined {
    const row = this.#get("SELECT rolled_back_from AS digest FROM plugins WHERE name = ?", plugin);
    return row?.digest as string | null ?? undefined;
  }

  /** What was wanted of pipelines; those not in it are to run. */
  desiredStates(): ReadonlyMap<string, DesiredState> {
    return this.#desired;
  }

  /** Notes for each pipeline what is wanted of it, for all or none. */
  setDesired(states: ReadonlyMap<string, DesiredState>): void {
    this.#transaction(() => {
      for (const [pipeline, state] of states) {
        this.#run("REPLACE INTO desired_state VALUES (?, ?)", pipeline, state);
      }
    });
    for (const [pipeline, state] of states) this.#desired.set(pipeline, state);
  }

  /** Adds to the audit log, of which the newest entries are kept. */
  audit({ who, action, target, before, after, result }: AuditRecord): void {
    this.#transaction(() => {
      this.#run(
        `INSERT INTO audit (at, who, action, target, before, after, result)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        Date.now(),
        who,
        action,
        target,
        JSON.stringify(before ?? null),
        JSON.stringify(after ?? null),
        result,
      );
      this.#run("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", AUDIT_MAX);
    });
  }

  /** Newest first. */
  auditLog({ limit, offset }: { limit: number; offset: number }): AuditEntry[] {
    return this.#all("SELECT * FROM audit ORDER BY id DESC LIMIT ? OFFSET ?", limit, offset)
      .map(entryOf);
  }

  /** All of it. */
  export(): HostState {
    return this.#transaction(() => ({
      format: 1,
      exportedAt: new Date().toISOString(),
      plugins: this.#all("SELECT * FROM plugins").map((row) => ({
        name: row.name as string,
        enabled: row.enabled === 1n,
        settings: JSON.parse(row.settings as string),
        digest: row.digest as string | null,
        rolledBackFrom: row.rolled_back_from as string | null,
      })),
      versions: this.#all("SELECT * FROM plugin_versions ORDER BY turn").map((row) => ({
        name: row.name as string,
        digest: row.digest as string,
        version: row.version as string,
        folder: row.folder as string,
        firstSeen: isoTime(row.first_seen),
        turn: Number(row.turn),
      })),
      desired: [...this.desiredStates()].map(([pipeline, state]) => ({ pipeline, state })),
      audit: this.#all("SELECT * FROM audit ORDER BY id").map(entryOf),
    }));
  }

  /** Puts `state` in place of all that is stored, or changes nothing. */
  import(state: HostState): void {
    this.#transaction(() => {
      for (const table of ["plugins", "plugin_versions", "desired_state", "audit"]) {
        this.#run(`DELETE FROM ${table}`);
      }
      for (const { name, enabled, settings, digest, rolledBackFrom } of state.plugins) {
        const values = [name, enabled ? 1 : 0, JSON.stringify(settings), digest, rolledBackFrom];
        this.#run("INSERT INTO plugins VALUES (?, ?, ?, ?, ?)", ...values);
      }
      for (const { name, digest, version, folder, firstSeen, turn } of state.versions) {
        const seen = Date.parse(firstSeen);
        const values = [name, digest, version, folder, seen, turn];
        this.#run("INSERT INTO plugin_versions VALUES (?, ?, ?, ?, ?, ?)", ...values);
      }
      for (const { pipeline, state: wanted } of state.desired) {
        this.#run("INSERT INTO desired_state VALUES (?, ?)", pipeline, wanted);
      }
      for (const { id, at, who, action, target, before, after, result } of state.audit) {
        const texts = [JSON.stringify(before ?? null), JSON.stringify(after ?? null), result];
        const values = [id, Date.parse(at), who, action, target, ...texts];
        this.#run("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", ...values);
      }
    });
    this.#remember();
  }

  /** What is wrong with the database's file. */
  integrity(): string[] {
    return this.#db.quickCheck();
  }

  close(): void {
    this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #remember(): void {
    const states = this.#all("SELECT pipeline, state FROM desired_state");
    this.#desired = new Map(
      states.map(({ pipeline, state }) => [pipeline as string, state as DesiredState]),
    );
    const disabled = this.#all("SELECT name FROM plugins WHERE enabled = 0");
    this.#disabled = new Set(disabled.map(({ name }) => name as string));
  }

  #version(sql: string, plugin: string): PluginVersion | undefined {
    const row = this.#get(sql, plugin);
    return row && this.#versionOf(row);
  }

  #versionOf({ name, version, digest, folder }: Row): PluginVersion {
    return {
      name: name as string,
      version: version as string,
      digest: digest as string,
      folder: join(this.#dataDirectory, folder as string),
    };
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#db.read("read", () => this.#db.get(sql, ...values));
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#db.read("read", () => this.#db.all(sql, ...values));
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#db.read("write", () => this.#db.run(sql, ...values));
  }

  #transaction<T>(work: () => T): T {
    return this.#db.transaction("write", work);
  }
}

function entryOf(row: Row): AuditEntry {
  return {
    id: Number(row.id),
    at: isoTime(row.at),
    who: row.who as string,
    action: row.action as string,
    target: row.target as string,
    before: JSON.parse(row.before as string),
    after: JSON.parse(row.after as string),
    result: row.result as string,
  };
}

function isoTime(at: Row[string] | undefined): string {
  return new Date(Number(at)).toISOString();
}
