import { Status } from "../../ffi/layout.ts";
import type { Instance, SavedState } from "../component/component.ts";
import { stateKey } from "../pipeline/checkpoints.ts";
import { StoreError } from "../store/errors.ts";
import type { PipelineStore } from "../store/pipeline_store.ts";

export interface ServiceStateOptions {
  instance: Instance;
  openStore: () => PipelineStore;
  /** Least time between two saves while it runs, in ms. */
  interval: number;
  log(level: "error", message: string, fields: Record<string, unknown>): void;
}

/** What a service or hook saves for those that come after it, in a store of its own. */
export class ServiceState {
  readonly #options: ServiceStateOptions;
  #store: PipelineStore | undefined;
  #nextAt = 0;

  constructor(options: ServiceStateOptions) {
    this.#options = options;
  }

  /** What was saved last; undefined where nothing was, or nothing ever is. @throws {StoreError} */
  open(): SavedState | undefined {
    const { instance, openStore } = this.#options;
    if (!instance.has("save") && !instance.has("restore")) return undefined;
    const component = stateKey(instance);
    this.#store = openStore();
    this.#store.retain({ sources: [], components: [component] });
    const state = this.#store.checkpoint().states.find((one) => one.component === component);
    return state && instance.has("restore") ? state : undefined;
  }

  /** When the next save is due, in milliseconds of the monotonic clock. */
  get dueAt(): number {
    return this.#store !== undefined && this.#options.instance.has("save")
      ? this.#nextAt
      : Infinity;
  }

  /** Saves; the status of `save`, or FAILED where it could not be stored, which was logged then. */
  async save(): Promise<number> {
    if (this.dueAt === Infinity) return Status.OK;
    const { instance, interval, log } = this.#options;
    this.#nextAt = performance.now() + interval;
    const saved = await instance.save();
    if (saved === Status.FAILED) {
      log("error", "Save failed", { component: instance.id, error: instance.error() });
    }
    if (typeof saved === "number") return saved;
    try {
      const states = [{ component: stateKey(instance), ...saved }];
      this.#store?.commit({ marks: [], states, deadLetters: [] });
      return Status.OK;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      log("error", "State was not stored", { component: instance.id, error: error.message });
      return Status.FAILED;
    }
  }

  close(): void {
    this.#store?.close();
    this.#store = undefined;
  }
}
