import { type CellRecorder, ComponentState } from "../../ffi/flight_recorder.ts";
import { Status, statusName } from "../../ffi/layout.ts";
import type { CallName as TableCall } from "../../ffi/recorder_layout.ts";
import type { Call, CallMade } from "../component/call.ts";
import type { Instance, Result } from "../component/component.ts";
import { ComponentError } from "../pipeline/pipeline.ts";
import type { ComponentFailure, PipelineState } from "../pipeline/spec.ts";
import { StoreError } from "../store/errors.ts";
import type { PipelineStore } from "../store/pipeline_store.ts";
import { Turns } from "../turns.ts";
import type { Unit } from "./scheduler.ts";
import { ServiceState } from "./service_state.ts";

/** Makes one call at a time on an instance. */
export interface CallPlace {
  make(call: Call): Promise<CallMade>;
  free(): void;
}

export interface ServiceUnitOptions {
  /** As pipelines have one. */
  id: string;
  instance: Instance;
  /** In the order of their numbers in the recorder, of which the instance's is the first. */
  places: CallPlace[];
  recorder: CellRecorder;
  openStore: () => PipelineStore;
  /** Least time between two saves, in ms. */
  saveInterval: number;
  log(level: "warning" | "error", message: string, fields: Record<string, unknown>): void;
  onFatal(failure: ComponentFailure): void;
  interrupt(): void;
  onState(state: PipelineState): void;
}

const HTTP_STATUSES = [Status.OK, Status.DONE, Status.FAILED, Status.INVALID] as number[];

/** A service or hook in a cell: it answers calls, where a pipeline moves events. */
export class ServiceUnit implements Unit {
  readonly pipelineId: string;
  readonly woken = false;
  readonly #options: ServiceUnitOptions;
  readonly #settled = Promise.withResolvers<void>();
  #phase: "new" | "running" | "stopping" | "ended" = "new";
  #created = false;
  /** The places that a call is under way in. */
  readonly #busy = new Set<CallPlace>();
  /** Calls were made since the state was saved last. */
  #changed = false;
  #saving = false;
  readonly #state: ServiceState;
  /** Lifecycle calls and calls of the first place share a record: none of one during the other. */
  readonly #first = new Turns();
  #idle: (() => void) | undefined;

  constructor(options: ServiceUnitOptions) {
    this.#options = options;
    this.pipelineId = options.id;
    const { instance, openStore, saveInterval: interval } = options;
    this.#state = new ServiceState({
      instance,
      openStore,
      interval,
      log: (level, message, fields) => options.log(level, message, fields),
    });
  }

  get ended(): boolean {
    return this.#phase === "ended";
  }

  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  async create(): Promise<void> {
    const { instance } = this.#options;
    await this.#bring("create", ComponentState.CREATED, () => instance.create());
    this.#created = true;
  }

  async start(): Promise<void> {
    const { instance } = this.#options;
    try {
      await this.#restore();
      instance.setResume({ position: new Uint8Array(0), acknowledged: [] });
      await this.#bring("start", ComponentState.STARTED, () => instance.start());
    } catch (error) {
      await this.discard();
      throw error;
    }
    this.#phase = "running";
    this.#options.onState("running");
  }

  async discard(): Promise<void> {
    if (this.#created) {
      this.#created = false;
      await this.#options.instance.destroy();
      this.#options.recorder.setState(this.#options.instance.index, ComponentState.DONE);
    }
    for (const place of this.#options.places) place.free();
    this.#state.close();
    this.#phase = "ended";
    this.#settled.resolve();
    this.#options.interrupt();
  }

  /** Ends once the calls under way have, or `deadline` (of the monotonic clock) is over. */
  async stop(deadline: number): Promise<void> {
    if (this.#phase !== "running") return;
    this.#phase = "stopping";
    await this.#calm(deadline);
    const { instance, places, recorder, log } = this.#options;
    // What still runs then keeps its memory: the process ends without it.
    if (this.#busy.size > 0) {
      if (!this.#busy.has(places[0]!)) await this.#save();
      this.#state.close();
      this.#phase = "ended";
      this.#settled.resolve();
      return this.#options.interrupt();
    }
    await this.#first.take(async () => {
      if (await instance.stop() !== Status.OK) {
        log("warning", "Stop failed", { component: instance.id, error: instance.error() });
      }
      recorder.setState(instance.index, ComponentState.STOPPED);
    });
    await this.#save();
    await this.discard();
  }

  call(place: number, call: Call): Promise<CallMade> | undefined {
    const { instance, places } = this.#options;
    const slot = places[place - instance.index];
    return slot && this.#call(slot, call);
  }

  step(): boolean {
    return false;
  }

  service(): number {
    this.#options.instance.takeWake();
    if (this.#phase !== "running" || !this.#changed || this.#saving) return Infinity;
    const { dueAt } = this.#state;
    if (performance.now() < dueAt) return dueAt;
    void this.#save().finally(() => this.#options.interrupt());
    return Infinity;
  }

  completed(): boolean {
    return false;
  }

  replayLetters(): void {}

  healthy(): Instance[] {
    const { instance } = this.#options;
    const free = this.#phase === "running" && this.#busy.size === 0 && instance.has("health");
    return free ? [instance] : [];
  }

  async ask(instance: Instance): Promise<number> {
    if (this.#phase !== "running" || this.#busy.size > 0) return Status.OK;
    return await this.#first.take(() => Promise.resolve(instance.health()));
  }

  async #call(slot: CallPlace, call: Call): Promise<CallMade> {
    if (this.#phase !== "running") return failed("it is not running");
    this.#busy.add(slot);
    try {
      const isFirst = slot === this.#options.places[0];
      const made = await (isFirst ? this.#first.take(() => slot.make(call)) : slot.make(call));
      if (HTTP_STATUSES.includes(made.status)) return made;
      const message = made.status === Status.FATAL
        ? made.message || "FATAL"
        : `it returned ${statusName(made.status)}, which is not allowed there`;
      // The answer goes first.
      setTimeout(() => this.#options.onFatal(this.#failure("Fatal", call.call, message)), 0);
      return { ...made, status: Status.FATAL, message };
    } finally {
      this.#busy.delete(slot);
      this.#changed = true;
      if (this.#busy.size === 0) this.#idle?.();
    }
  }

  async #restore(): Promise<void> {
    const { instance } = this.#options;
    try {
      const saved = this.#state.open();
      if (saved === undefined) return;
      await this.#bring("restore", ComponentState.CREATED, () => instance.restore(saved));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      throw new ComponentError(this.#failure("StoreFailed", "load", error.message));
    }
  }

  async #save(): Promise<void> {
    this.#saving = true;
    this.#changed = false;
    const status = await this.#first.take(() => this.#state.save());
    this.#saving = false;
    if (status === Status.OK) return;
    this.#changed = true;
    if (status === Status.FAILED) return;
    const why = this.#options.instance.error() || statusName(status);
    this.#options.onFatal(this.#failure("SaveFailed", "save", why));
  }

  async #calm(deadline: number): Promise<void> {
    if (this.#busy.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
    await promise;
    clearTimeout(timer);
  }

  async #bring(
    call: "create" | "restore" | "start",
    state: number,
    make: () => Result,
  ): Promise<void> {
    const { instance, recorder } = this.#options;
    const status = await make();
    if (status === Status.OK) return recorder.setState(instance.index, state);
    const why = instance.error() || statusName(status);
    const code = `${call[0]!.toUpperCase()}${call.slice(1)}Failed`;
    throw new ComponentError(this.#failure(code, call, why));
  }

  #failure(
    code: string,
    call: TableCall | "receive" | "load",
    message: string,
  ): ComponentFailure {
    const { id: component, plugin } = this.#options.instance;
    return {
      pipeline: this.pipelineId,
      component,
      plugin,
      call: call === "receive" ? "load" : call,
      code,
      message,
    };
  }
}

/** The answer to a call that was not made. */
export function failed(message: string): CallMade {
  return {
    status: Status.FAILED,
    message,
    answer: { status: 0, headers: [], body: new Uint8Array(0) },
    changes: {},
  };
}
