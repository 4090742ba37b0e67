import type { CallName } from "../../ffi/recorder_layout.ts";
import { Status, statusName } from "../../ffi/layout.ts";
import { StoreError } from "../store/errors.ts";
import type { DeadLetterInit, Mark, PipelineStore, StateRow } from "../store/pipeline_store.ts";
import type { CellPipeline, ComponentFailure, PipelineState, Suspect } from "./spec.ts";
import { type CellRecorder, ComponentState } from "../../ffi/flight_recorder.ts";
import type { Call, CallMade } from "../component/call.ts";
import type { Completion, Instance } from "../component/component.ts";
import { Checkpoints, stateKey } from "./checkpoints.ts";
import { findLines, makeNodes } from "./graph.ts";
import type { Node, Surroundings } from "./node.ts";
import { ProcessorNode } from "./processor_node.ts";
import { ReactionNode } from "./reaction_node.ts";
import { Replayer } from "./replayer.ts";
import { SourceNode } from "./source_node.ts";

/** A component could not be brought up; everything that had been is down again. */
export class ComponentError extends Error {
  constructor(readonly failure: ComponentFailure) {
    super(failure.message);
  }
}

export interface PipelineOptions {
  spec: CellPipeline;
  /** One for each component of the spec, in its order. */
  instances: readonly Instance[];
  recorder: CellRecorder;
  /** Number of this pipeline's first source in the recorder. */
  firstSource: number;
  /** Opens the pipeline's store; called at the start, since two processes must not have it at once. */
  openStore(): PipelineStore;
  /** What a cell before this one crashed on. */
  suspects: readonly Suspect[];
  /** PENDING batches that each reaction may have. */
  maxPending: number;
  /** A result came in off the event loop: take turns again. */
  interrupt(): void;
  onState(state: PipelineState, failure?: ComponentFailure): void;
  onFatal(failure: ComponentFailure): void;
  log: Surroundings["log"];
}

type Phase = "new" | "running" | "draining" | "ended";

/** One pipeline at work: its components as nodes, their order of starting and stopping, and its turns. */
export class Pipeline implements Surroundings {
  readonly pipelineId: string;
  readonly strict: boolean;
  readonly #options: PipelineOptions;
  readonly #nodes: Node[] = [];
  readonly #sources: SourceNode[] = [];
  #store: PipelineStore | null = null;
  #checkpoints!: Checkpoints;
  #replayer!: Replayer;
  #ready: Node[] = [];
  #phase: Phase = "new";
  #created: Instance[] = [];
  #started: Instance[] = [];
  #totals = new Map<number, { dropped: number; retries: number }>();
  #stopping: Promise<void> | null = null;
  /** When draining ends at the latest. */
  #deadline = Infinity;

  constructor(options: PipelineOptions) {
    const { pipeline } = options.spec;
    this.#options = options;
    this.pipelineId = pipeline.id;
    this.strict = pipeline.validate === "strict";
  }

  get ended(): boolean {
    return this.#phase === "ended";
  }

  /** Resolves when nothing is left to do after the end. */
  get settled(): Promise<void> {
    return this.#stopping ?? Promise.resolve();
  }

  /** Whether a processor or reaction is in a call that is made off the event loop. */
  get calling(): boolean {
    return this.#nodes.some((node) => node.busy && !(node instanceof SourceNode));
  }

  /** Whether a component asked for a call that it has not had yet. */
  get woken(): boolean {
    return !this.ended && this.#nodes.some((node) => !node.busy && node.instance.woken);
  }

  // ---- What nodes need -------------------------------------------------------------------------

  now(): number {
    return performance.now();
  }

  time(): number {
    return Date.now();
  }

  makeReady(node: Node): void {
    if (node.queuedForResume) return;
    node.queuedForResume = true;
    this.#ready.push(node);
  }

  interrupt(): void {
    this.#options.interrupt();
  }

  fatal(failure: ComponentFailure): void {
    this.#phase = "ended";
    this.#options.onFatal(failure);
  }

  giveUp(failure: ComponentFailure): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    for (const source of this.#sources) source.halt();
    this.#stopping = this.#fail(failure, this.#stopping);
  }

  log(level: "warning" | "error" | "info", message: string, fields: Record<string, unknown>): void {
    this.#options.log(level, message, { pipeline: this.pipelineId, ...fields });
  }

  deadLetter(letter: DeadLetterInit): void {
    this.#checkpoints.add(letter);
    const index = this.#nodes.find(({ id }) => id === letter.component)!.instance.index;
    this.count(index, "dropped", 1);
  }

  sourceId(number: number): string {
    return this.#sources[number]?.id ?? "";
  }

  calm(): void {
    if (this.strict || this.#nodes.some(({ suspicion }) => suspicion !== null)) return;
    findLines(this.#sources, this.#options.spec.pipeline.components);
  }

  count(
    index: number,
    counter: "dropped" | "retries" | "eventsIn" | "bytesIn",
    add: number,
  ): void {
    const { recorder } = this.#options;
    if (counter === "eventsIn") return recorder.component(index).received(add, 0);
    if (counter === "bytesIn") return recorder.component(index).received(0, add);
    const totals = this.#totals.get(index) ?? { dropped: 0, retries: 0 };
    totals[counter] += add;
    this.#totals.set(index, totals);
    recorder.setDropped(index, totals.dropped);
    recorder.setRetries(index, totals.retries);
  }

  // ---- Life ------------------------------------------------------------------------------------

  /** Creates every component. Nothing exclusive is taken: a predecessor may still be at work. */
  async create(): Promise<void> {
    try {
      for (const instance of this.#options.instances) {
        await this.#bring(instance, "create", ComponentState.CREATED, () => instance.create());
        this.#created.push(instance);
      }
    } catch (error) {
      await this.#giveBack();
      throw error;
    }
  }

  /** Restores and starts every component from the last checkpoint, those that take events before those that give them. */
  async start(): Promise<void> {
    const { instances } = this.#options;
    try {
      const { states } = this.#withStore(() => this.#open());
      for (const { component, ...state } of states) {
        const instance = instances.find((instance) => stateKey(instance) === component);
        if (instance === undefined || !instance.has("restore")) continue;
        await this.#bring(
          instance,
          "restore",
          ComponentState.CREATED,
          () => instance.restore(state),
        );
      }
      const acknowledged = this.#sources.map((source) => ({
        sourceId: source.id,
        source: source.number,
        sequence: source.ledger.sequence,
      }));
      const order = { reaction: 0, processor: 1, source: 2, bootstrap: 3, service: 3, hook: 3 };
      for (const instance of instances.toSorted((a, b) => order[a.kind] - order[b.kind])) {
        const source = this.#sources.find((source) => source.instance === instance);
        const position = source?.resumeAt ?? new Uint8Array(0);
        instance.setResume({ position, acknowledged });
        await this.#bring(instance, "start", ComponentState.STARTED, () => instance.start());
        this.#started.push(instance);
      }
      this.#phase = "running";
      this.#options.onState("running");
    } catch (error) {
      await this.#giveBack();
      throw error;
    }
  }

  /** Destroys what was created, of a pipeline that never ran. */
  async discard(): Promise<void> {
    if (this.#phase === "new") await this.#giveBack();
  }

  /** Dead letters were marked to be offered again. */
  replayLetters(): void {
    this.#replayer.request();
    this.interrupt();
  }

  /**
   * Sources stop, what is under way drains until `deadline` (in {@linkcode now}'s milliseconds), reactions flush and
   * stop, the last checkpoint is taken. Turns must go on meanwhile.
   */
  stop(deadline: number): Promise<void> {
    this.#deadline = Math.min(this.#deadline, deadline);
    return this.#stopping ??= this.#stop("stopped");
  }

  /** Polls every source once and resumes what is ready; whether anything happened. */
  step(): boolean {
    if (this.#phase !== "running" && this.#phase !== "draining") return false;
    let moved = false;
    for (let i = 0; i < this.#sources.length; i++) {
      if (this.#sources[i]!.step()) moved = true;
    }
    if (this.#ready.length > 0) {
      moved = true;
      this.#resumeReady();
    }
    return moved;
  }

  /** What needs no attention after every batch: wakes, waits, checkpoints. When to come back at the latest. */
  service(): number {
    if (this.#phase !== "running" && this.#phase !== "draining") return Infinity;
    const now = this.now();
    for (const node of this.#nodes) {
      if (!node.busy && node.instance.takeWake()) node.wake();
      if (node.dueAt <= now) this.makeReady(node);
      this.#options.recorder.setQueued(node.instance.index, node.queued);
      if (node instanceof ReactionNode) {
        this.#options.recorder.setPending(node.instance.index, node.pending);
      }
    }
    // What is resumed has its turn before anything is slept over.
    const resumed = this.#ready.length > 0;
    this.#resumeReady();
    if (this.#phase === "running") this.#replayer.turn();
    const checkpoint = this.#checkpoints.service(now);
    let next = resumed ? now : checkpoint;
    // What was resumed may have to wait again; who is busy is resumed when the call ends.
    for (const node of this.#nodes) if (!node.busy) next = Math.min(next, node.dueAt);
    if (
      this.#phase === "running" && this.#replayer.idle &&
      this.#sources.every((source) => source.exhausted)
    ) {
      this.#stopping ??= this.#stop("completed");
    }
    return next;
  }

  /** Hands a completion on; false when it is not for this pipeline. */
  completed(index: number, completion: Completion): boolean {
    const node = this.#nodes.find((node) => node.instance.index === index);
    if (node === undefined) return false;
    if (node instanceof ReactionNode && this.#phase !== "ended") node.completed(completion);
    return true;
  }

  /** Gives a source events from outside; undefined when none of its sources has that place. */
  call(place: number, call: Call): Promise<CallMade> | undefined {
    const instance = this.#options.instances.find(({ index }) => index === place);
    return this.#phase === "running" ? instance?.receive?.(call) : undefined;
  }

  /** Instances that can be asked for their health now. */
  healthy(): Instance[] {
    if (this.#phase !== "running") return [];
    return this.#nodes.filter((node) => !node.busy && node.instance.has("health"))
      .map((node) => node.instance);
  }

  /** Asks for health; no other call is made on the instance meanwhile. */
  async ask(instance: Instance): Promise<number> {
    const node = this.#nodes.find((node) => node.instance === instance)!;
    if (this.#phase !== "running" || node.busy || node.claimed) return Status.OK;
    const result = instance.health();
    if (typeof result === "number") return result;
    node.busy = true;
    try {
      return await result;
    } finally {
      node.busy = false;
      this.makeReady(node);
      this.interrupt();
    }
  }

  // ---- Inside ----------------------------------------------------------------------------------

  /** Opens the store and makes the nodes, which go on from its checkpoint. */
  #open(): { marks: Mark[]; states: StateRow[] } {
    const { spec: { pipeline }, recorder, firstSource, openStore } = this.#options;
    const store = this.#store = openStore();
    const ids = (kind: string) =>
      pipeline.components.filter((c) => c.kind === kind).map(({ id }) => id);
    store.retain({ sources: ids("source"), components: pipeline.components.map(stateKey) });
    const checkpoint = store.checkpoint();
    this.#replayer = new Replayer({
      take: (limit, afterId) => {
        try {
          return store.replays(limit, afterId);
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          const message = "Cannot offer dead letters again now: ask for it again, or restart";
          this.log("error", message, { error: error.message });
          return [];
        }
      },
      consumer: (id) => {
        const node = this.#nodes.find((node) => node.id === id);
        return node instanceof ReactionNode || node instanceof ProcessorNode ? node : undefined;
      },
      sourceNumber: (id) => this.#sources.find((source) => source.id === id)?.number ?? 0,
    });
    const { nodes, sources } = makeNodes(this.#options, {
      around: this,
      store,
      marks: checkpoint.marks,
    });
    this.#nodes.push(...nodes);
    this.#sources.push(...sources);
    this.calm();
    this.#checkpoints = new Checkpoints(this, {
      store,
      sources: this.#sources,
      processors: this.#nodes.filter((node) => node instanceof ProcessorNode),
      reactions: this.#nodes.filter((node) => node instanceof ReactionNode),
      replayer: this.#replayer,
      interval: pipeline.checkpointIntervalMs,
      deadLetters: pipeline.deadLetters,
      record: (number, sequence, position) =>
        recorder.writeSource(firstSource + number, sequence, position),
    });
    return checkpoint;
  }

  #withStore<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const { message } = error;
      const place = { pipeline: this.pipelineId, component: "", plugin: "" };
      throw new ComponentError({ ...place, call: "load", code: "StoreFailed", message });
    }
  }

  async #bring(
    instance: Instance,
    call: CallName,
    state: number,
    make: () => number | Promise<number>,
  ): Promise<void> {
    const status = await make();
    if (status !== Status.OK) {
      const code = `${call[0]!.toUpperCase()}${call.slice(1)}Failed`;
      const reason = instance.error() || `it returned ${statusName(status)} without a message`;
      throw new ComponentError({
        pipeline: this.pipelineId,
        component: instance.id,
        plugin: instance.plugin,
        call,
        code,
        message: reason,
      });
    }
    this.#options.recorder.setState(instance.index, state);
  }

  #resumeReady(): void {
    while (this.#ready.length > 0 && this.#phase !== "ended") {
      const ready = this.#ready;
      this.#ready = [];
      for (const node of ready) {
        node.queuedForResume = false;
        node.resume();
      }
    }
  }

  async #stop(state: PipelineState): Promise<void> {
    if (this.#phase !== "running") return;
    this.#phase = "draining";
    for (const source of this.#sources) {
      source.halt();
      await this.#quiet(source);
      if (this.ended) return;
      await this.#stopInstance(source.instance);
      source.stopped = true;
      source.finish();
    }
    await this.#drained();
    for (const node of this.#nodes) {
      if (!(node instanceof ProcessorNode)) continue;
      await this.#quiet(node);
      if (this.ended) return;
      node.drain();
      await this.#drained();
      if (this.ended) return;
      node.halt();
      await this.#quiet(node);
      await this.#stopInstance(node.instance);
    }
    await this.#until(() => this.#replayer.idle);
    await this.#checkpoints.take(() => this.ended ? 0 : this.#deadline);
    if (this.ended) return;
    this.#phase = "ended";
    await this.#takeDown();
    this.#options.onState(state);
  }

  async #fail(failure: ComponentFailure, before: Promise<void> | null): Promise<void> {
    await before;
    // Not within the call that failed.
    await turn();
    await this.#takeDown();
    this.#options.onState("failed", failure);
  }

  /** Waits until nothing is under way, or the deadline. */
  async #drained(): Promise<void> {
    await this.#until(() => this.#nodes.every((node) => node.idle));
  }

  async #quiet(node: Node): Promise<void> {
    await this.#until(() => !node.busy);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && this.now() < this.#deadline && this.#phase === "draining") {
      this.interrupt();
      await turn();
    }
  }

  async #stopInstance(instance: Instance): Promise<void> {
    const at = this.#started.indexOf(instance);
    if (at < 0) return;
    this.#started.splice(at, 1);
    if (await instance.stop() !== Status.OK) {
      const error = instance.error();
      this.log("warning", "Stop failed", { component: instance.id, error });
    }
    this.#options.recorder.setState(instance.index, ComponentState.STOPPED);
  }

  /** Stops and destroys what is left, in the order that events flow. */
  async #takeDown(): Promise<void> {
    while (this.#nodes.some((node) => node.busy)) await turn();
    const order = { source: 0, processor: 1, reaction: 2, bootstrap: 3, service: 3, hook: 3 };
    for (const instance of this.#started.toSorted((a, b) => order[a.kind] - order[b.kind])) {
      await this.#stopInstance(instance);
    }
    for (const source of this.#sources) await source.returnLoans();
    for (const instance of this.#created.splice(0)) {
      await instance.destroy();
      this.#options.recorder.setState(instance.index, ComponentState.DONE);
    }
    for (const node of this.#nodes) node.free();
    this.#store?.close();
    this.#store = null;
  }

  /** Takes down what was brought up before it could run. */
  async #giveBack(): Promise<void> {
    this.#phase = "ended";
    await this.#takeDown();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
