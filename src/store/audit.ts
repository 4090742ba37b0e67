/** One change that somebody asked for. */
export interface AuditRecord {
  /** By which way it was asked: "admin socket", "http", "command line", "watcher", "signal". */
  who: string;
  /** What was done, as "plugin.disable". */
  action: string;
  /** Name of the plugin or id of the pipeline. */
  target: string;
  /** JSON values; null where there is nothing to say. */
  before: unknown;
  after: unknown;
  /** "ok", or why it failed. */
  result: string;
}

export interface AuditEntry extends AuditRecord {
  id: number;
  /** ISO 8601. */
  at: string;
}
