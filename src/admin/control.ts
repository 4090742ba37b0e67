/** What the API may ask of the host: the mutations, and what is kept in its stores. */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { AuditEntry } from "../store/audit.ts";
import type { LetterPage, LetterQuery, StoredLetter } from "../store/letter_box.ts";

/** By which way a request came; the audit log has it. */
export type Actor = "admin socket" | "http" | "command line" | "watcher" | "signal";

export const PLUGIN_ACTIONS = ["enable", "disable", "reload", "rollback"] as const;
export type PluginAction = typeof PLUGIN_ACTIONS[number];

export const PIPELINE_ACTIONS = ["start", "stop", "restart", "pause", "resume"] as const;
export type PipelineAction = typeof PIPELINE_ACTIONS[number];

/** What can be done to a service or hook. */
export const SERVICE_ACTIONS = ["start", "stop", "restart"] as const;
export type ServiceAction = typeof SERVICE_ACTIONS[number];

/** What a plugin is after an action. */
export interface PluginOutcome {
  name: string;
  enabled: boolean;
  version: string | null;
  /** Of its whole folder; null while nothing has used it. */
  digest: string | null;
  /** Ids of the pipelines that the action has touched. */
  pipelines: string[];
}

/** What a pipeline, service or hook is after an action. */
export interface PipelineOutcome {
  id: string;
  status: string;
  desired: string;
}

/** A call of a service. */
export interface Execution {
  input: Uint8Array;
  contentType?: string;
  /** At most the service's own. */
  timeoutMs?: number;
}

export interface ExecutionOutcome {
  plugin: string;
  output: Uint8Array;
  /** As the plugin says it. */
  contentType?: string;
  durationMs: number;
}

/** Steers a host, or the stores of one that does not run. Whatever changes something ends up in the audit log. */
export interface HostControl {
  /** @throws {ControlError} when it cannot be done; nothing has changed then */
  plugin(name: string, action: PluginAction, who: Actor): Promise<PluginOutcome>;
  /** @throws {ControlError} likewise */
  pipeline(id: string, action: PipelineAction, who: Actor): Promise<PipelineOutcome>;
  /** A service by its id, or a hook by `hook:ID`. @throws {ControlError} likewise */
  service(name: string, action: ServiceAction, who: Actor): Promise<PipelineOutcome>;
  /** Views of letters, oldest first. @throws {ControlError} for an unknown pipeline, here and below */
  letters<T>(
    pipeline: string,
    query: LetterQuery,
    page: LetterPage & { view: (letter: StoredLetter) => T },
  ): { total: number; letters: T[] };
  /** Marks those that match to be offered again. @returns how many */
  replayLetters(pipeline: string, query: LetterQuery, who: Actor): number;
  /** Removes those that match for good. @returns how many */
  dropLetters(pipeline: string, query: LetterQuery, who: Actor): number;
  /** What a service takes, by its id or its plugin's name. @throws {ControlError} when there is none */
  serviceLimits(id: string): { maxInput: number };
  /** @throws {ControlError} when there is no output */
  execute(id: string, execution: Execution): Promise<ExecutionOutcome>;
  /** Newest first. */
  audit(page: LetterPage): AuditEntry[];
}

/** An action that cannot be done, with the code and the status for the API. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly status: ContentfulStatusCode;
  readonly code: string;

  constructor(status: ContentfulStatusCode, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}
