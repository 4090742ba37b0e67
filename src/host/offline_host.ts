import { createApp } from "../admin/app.ts";
import {
  type Actor,
  ControlError,
  type HostControl,
  type PipelineAction,
  type PipelineOutcome,
  type PluginAction,
  type PluginOutcome,
  type ServiceAction,
} from "../admin/control.ts";
import type { AuditEntry } from "../store/audit.ts";
import { lockDataDirectory } from "../store/host_lock.ts";
import { HostStore } from "../store/host_store.ts";
import {
  type LetterPage,
  type LetterQuery,
  pipelinesIn,
  type StoredLetter,
} from "../store/letter_box.ts";
import { audited } from "./audited.ts";
import { LetterControl } from "./letter_control.ts";

/** The stores of a host that does not run; they answer as it would, as far as that needs no running cells. */
export interface OfflineHost {
  request(path: string, init: RequestInit): Response | Promise<Response>;
  close(): void;
}

/**
 * Takes the stores of a data folder. No host can start on it until this process ends.
 *
 * @throws {HostLockError} when one runs
 * @throws {StoreError} when the store cannot be used
 */
export function openOfflineHost(dataDirectory: string): OfflineHost {
  lockDataDirectory(dataDirectory);
  const store = HostStore.open(dataDirectory);
  const app = createApp({
    pipelines: {
      pipelines: () => pipelinesIn(dataDirectory).map((id) => ({ id, status: "stopped" })),
    },
    plugins: { plugins: () => [] },
    control: new OfflineControl(dataDirectory, store),
    who: "command line",
    host: "localhost",
  });
  return {
    request: (path, init) => app.request(path, init),
    close: () => store.close(),
  };
}

class OfflineControl implements HostControl {
  readonly #dataDirectory: string;
  readonly #store: HostStore;
  readonly #letters: LetterControl;

  constructor(dataDirectory: string, store: HostStore) {
    this.#dataDirectory = dataDirectory;
    this.#store = store;
    this.#letters = new LetterControl(dataDirectory, { store });
  }

  plugin(name: string, action: PluginAction, who: Actor): Promise<PluginOutcome> {
    if (action === "reload" || action === "rollback") {
      throw this.#idle(`${action} plugin "${name}"`);
    }
    const state = () => this.#outcome(name);
    const change = { who, action: `plugin.${action}`, target: name, state };
    return audited(this.#store, change, () => {
      this.#store.setEnabled(name, action === "enable");
      return this.#outcome(name);
    });
  }

  pipeline(id: string, action: PipelineAction): Promise<PipelineOutcome> {
    throw this.#idle(`${action} pipeline "${id}"`);
  }

  letters<T>(
    pipeline: string,
    query: LetterQuery,
    page: LetterPage & { view: (letter: StoredLetter) => T },
  ): { total: number; letters: T[] } {
    return this.#letters.list(pipeline, query, page);
  }

  replayLetters(pipeline: string, query: LetterQuery, who: Actor): number {
    return this.#letters.replay(pipeline, query, who);
  }

  dropLetters(pipeline: string, query: LetterQuery, who: Actor): number {
    return this.#letters.drop(pipeline, query, who);
  }

  service(name: string, action: ServiceAction): Promise<PipelineOutcome> {
    throw this.#idle(`${action} service "${name}"`);
  }

  serviceLimits(id: string): never {
    throw this.#idle(`execute service "${id}"`);
  }

  execute(id: string): never {
    return this.serviceLimits(id);
  }

  audit(page: LetterPage): AuditEntry[] {
    return this.#store.auditLog(page);
  }

  #idle(what: string): ControlError {
    return new ControlError(
      409,
      "HostNotRunning",
      `Cannot ${what}: no host runs on data folder "${this.#dataDirectory}"`,
    );
  }

  #outcome(name: string): PluginOutcome {
    const { version, digest } = this.#store.current(name) ?? { version: null, digest: null };
    return { name, enabled: this.#store.isEnabled(name), version, digest, pipelines: [] };
  }
}
