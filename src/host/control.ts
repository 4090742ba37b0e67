import {
  type Actor,
  ControlError,
  type HostControl,
  type PipelineAction,
  type PipelineOutcome,
  type PluginAction,
  type PluginOutcome,
} from "../admin/control.ts";
import type { PluginView } from "../admin/plugins.ts";
import type { PipelineView } from "../cell/pipeline_view.ts";
import type { SupervisedCell } from "../cell/supervised_cell.ts";
import type { Supervisor } from "../cell/supervisor.ts";
import type { AuditEntry } from "../store/audit.ts";
import { StoreError } from "../store/errors.ts";
import type { DesiredState, HostStore } from "../store/host_store.ts";
import type { LetterPage, LetterQuery } from "../store/letter_box.ts";
import { Turns } from "../turns.ts";
import { audited } from "./audited.ts";
import { LetterControl } from "./letter_control.ts";
import { BUILTIN } from "./plugin_set.ts";

/** Exchanges versions of plugins while they run. */
export interface Reloader {
  /** Takes what lies where the plugin was found. @throws {Error} when it cannot; then the old version goes on */
  reload(plugin: string): Promise<unknown>;
  /** Takes the version that was in use before. @throws {Error} likewise */
  rollback(plugin: string): Promise<unknown>;
}

export interface ControlOptions {
  dataDirectory: string;
  store: HostStore;
  supervisor: Supervisor;
  /** The plugins there are, as the configuration has them. */
  plugins: () => readonly PluginView[];
  reloader?: Reloader;
}

const WANTED: Record<PipelineAction, DesiredState> = {
  start: "running",
  stop: "stopped",
  restart: "running",
  pause: "paused",
  resume: "running",
};

/**
 * Steers a running host. A pipeline that shares its cell is steered together with those it shares it with. What was wanted of pipelines and
 * which plugins are disabled outlives the host.
 */
export class RunningControl implements HostControl {
  readonly #options: ControlOptions;
  readonly #store: HostStore;
  readonly #supervisor: Supervisor;
  readonly #letters: LetterControl;
  /** One change at a time, so that none undoes half of another. */
  readonly #turns = new Turns();

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#supervisor = options.supervisor;
    this.#letters = new LetterControl(options.dataDirectory, {
      store: options.store,
      configured: () => options.supervisor.pipelines().map(({ id }) => id),
    });
  }

  /** Pipelines as the API shows them: with what is wanted of them. */
  pipelines(): (PipelineView & { desired: DesiredState })[] {
    const states = this.#store.desiredStates();
    const disabled = this.#store.disabledPlugins();
    return this.#supervisor.pipelines().map((pipeline) => {
      const blocked = pipeline.components.some(({ plugin }) => disabled.has(plugin));
      return { ...pipeline, desired: blocked ? "stopped" : states.get(pipeline.id) ?? "running" };
    });
  }

  /** Plugins as the API shows them: disabled also where an operator did it. */
  plugins(): PluginView[] {
    const disabled = this.#store.disabledPlugins();
    return this.#options.plugins().map((plugin) => ({
      ...plugin,
      enabled: plugin.enabled && !disabled.has(plugin.name),
    }));
  }

  plugin(name: string, action: PluginAction, who: Actor): Promise<PluginOutcome> {
    const view = this.#options.plugins().find((plugin) => plugin.name === name);
    // One that has only just been put there is found by its reload.
    if (view === undefined && action !== "reload") {
      throw new ControlError(404, "PluginNotFound", `Unknown plugin "${name}"`);
    }
    if (name === BUILTIN) {
      throw new ControlError(
        409,
        "BuiltIn",
        `Cannot ${action} plugin "${name}": it is part of busbar`,
      );
    }
    if (view?.enabled === false && action !== "disable") {
      throw new ControlError(
        409,
        "SetInConfiguration",
        `Cannot ${action} plugin "${name}": plugins.use.${name}.enabled of the configuration disables it`,
      );
    }
    const state = () => this.#pluginOutcome(name, []);
    return this.#turns.take(() =>
      audited(this.#store, { who, action: `plugin.${action}`, target: name, state }, async () => {
        const touched = await this.#actOnPlugin(name, action);
        return this.#pluginOutcome(name, touched);
      })
    );
  }

  pipeline(id: string, action: PipelineAction, who: Actor): Promise<PipelineOutcome> {
    this.#view(id);
    const state = () => this.#pipelineOutcome(id);
    return this.#turns.take(() =>
      audited(this.#store, { who, action: `pipeline.${action}`, target: id, state }, async () => {
        await this.#actOnPipeline(id, action);
        return this.#pipelineOutcome(id);
      })
    );
  }

  letters(pipeline: string, query: LetterQuery, page: LetterPage) {
    return this.#letters.list(pipeline, query, page);
  }

  replayLetters(pipeline: string, query: LetterQuery, who: Actor): number {
    const count = this.#letters.replay(pipeline, query, who);
    for (const cell of this.#supervisor.cellsOf(pipeline)) cell.replay(pipeline);
    return count;
  }

  dropLetters(pipeline: string, query: LetterQuery, who: Actor): number {
    return this.#letters.drop(pipeline, query, who);
  }

  audit(page: LetterPage): AuditEntry[] {
    return this.#store.auditLog(page);
  }

  /** @returns ids of the pipelines it touched */
  async #actOnPlugin(name: string, action: PluginAction): Promise<string[]> {
    const users = this.#supervisor.pipelines()
      .filter(({ status, components }) =>
        status !== "disabled" && components.some(({ plugin }) => plugin === name)
      );
    const { reloader } = this.#options;
    switch (action) {
      case "disable":
        this.#store.setEnabled(name, false);
        await this.#forCells(users, (cell) => cell.stop());
        break;
      case "enable":
        this.#store.setEnabled(name, true);
        await this.#forCells(users.filter((pipeline) => !isHeld(this.#store, pipeline)), startCell);
        break;
      case "reload":
      case "rollback":
        if (reloader === undefined) throw new Error(`Cannot ${action} plugin "${name}"`);
        await refusing("ReloadFailed", () => this.#exchange(reloader, name, action));
    }
    return users.map(({ id }) => id);
  }

  async #exchange(
    reloader: Reloader,
    name: string,
    action: "reload" | "rollback",
  ): Promise<void> {
    const before = this.#store.current(name)?.digest;
    await reloader[action](name);
    if (action === "rollback" && before !== undefined) this.#store.noteRollback(name, before);
  }

  async #actOnPipeline(id: string, action: PipelineAction): Promise<void> {
    const view = this.#view(id);
    this.#check(view, action);
    const members = this.#supervisor.cellsOf(id).flatMap(({ plan }) =>
      plan.pipelines.map(({ pipeline }) => pipeline.id)
    );
    const before = new Map(members.map((member) => [member, this.#desired(member)]));
    const want = (state: (member: string) => DesiredState) => {
      for (const member of before.keys()) this.#store.setDesired(member, state(member));
    };
    want(() => WANTED[action]);
    try {
      await refusing("ActionFailed", () => this.#forCells([view], (cell) => steer(cell, action)));
    } catch (error) {
      // What was stopped halfway stays what it was told to be; the rest has not changed.
      if (action === "pause" || action === "resume") want((member) => before.get(member)!);
      throw error;
    }
  }

  /** Whether the action makes sense. */
  #check(view: PipelineView, action: PipelineAction): void {
    const { id, status } = view;
    const refuse = (code: string, why: string): never => {
      throw new ControlError(409, code, `Cannot ${action} pipeline "${id}": ${why}`);
    };
    if (status === "disabled") refuse("SetInConfiguration", "the configuration disables it");
    const [plugin] = this.#disabledIn(view);
    if (WANTED[action] === "running" && plugin !== undefined) {
      refuse("PluginDisabled", `plugin "${plugin}" is disabled; enable it first`);
    }
    if (action === "pause" && status !== "running" && status !== "paused") {
      refuse("NotRunning", `it is ${status}`);
    }
    if (action === "resume" && status !== "paused" && this.#desired(id) !== "paused") {
      refuse("NotPaused", `it is ${status}`);
    }
  }

  /** Does `action` to each cell of the pipelines, once. */
  async #forCells(
    pipelines: readonly PipelineView[],
    action: (cell: SupervisedCell) => Promise<void>,
  ): Promise<void> {
    const cells = new Set(pipelines.flatMap(({ id }) => this.#supervisor.cellsOf(id)));
    const results = await Promise.allSettled([...cells].map(action));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #view(id: string): PipelineView {
    const view = this.#supervisor.pipelines().find((pipeline) => pipeline.id === id);
    if (view !== undefined) return view;
    throw new ControlError(404, "PipelineNotFound", `Unknown pipeline "${id}"`);
  }

  #desired(pipeline: string): DesiredState {
    return this.#store.desiredStates().get(pipeline) ?? "running";
  }

  #disabledIn({ components }: Pick<PipelineView, "components">): string[] {
    const disabled = this.#store.disabledPlugins();
    return components.map(({ plugin }) => plugin).filter((plugin) => disabled.has(plugin));
  }

  #pipelineOutcome(id: string): PipelineOutcome {
    const { status, desired } = this.pipelines().find((pipeline) => pipeline.id === id)!;
    return { id, status, desired };
  }

  #pluginOutcome(name: string, pipelines: string[]): PluginOutcome {
    const { version, digest } = this.#store.current(name) ?? { version: null, digest: null };
    return { name, enabled: this.#store.isEnabled(name), version, digest, pipelines };
  }
}

/** Whether a pipeline is not to run: an operator stopped or paused it, or it uses a plugin that is disabled. */
export function isHeld(
  store: HostStore,
  { id, components }: { id: string; components: readonly { plugin: string }[] },
): boolean {
  const state = store.desiredStates().get(id) ?? "running";
  const disabled = store.disabledPlugins();
  return state !== "running" || components.some(({ plugin }) => disabled.has(plugin));
}

async function steer(cell: SupervisedCell, action: PipelineAction): Promise<void> {
  switch (action) {
    case "restart":
      await cell.stop();
      cell.renew();
      return cell.start();
    case "stop":
      return await cell.stop();
    case "pause":
      return await cell.pause();
    case "start":
    case "resume":
      return await startCell(cell);
  }
}

/** From wherever it is: paused, stopped, given up or done. One that runs is left alone. */
async function startCell(cell: SupervisedCell): Promise<void> {
  const statuses = cell.plan.pipelines.map(({ pipeline }) => cell.status(pipeline.id));
  if (statuses.includes("paused")) return await cell.resume();
  if (statuses.some((status) => status === "failed" || status === "completed")) {
    await cell.stop();
    cell.renew();
  }
  cell.start();
}

/** Makes whatever goes wrong an answer that says it. */
async function refusing<T>(code: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ControlError || error instanceof StoreError) throw error;
    throw new ControlError(409, code, (error as Error).message);
  }
}
