import {
  type Actor,
  ControlError,
  type Execution,
  type ExecutionOutcome,
  type HostControl,
  type PipelineAction,
  type PipelineOutcome,
  type PluginAction,
  type PluginOutcome,
  type ServiceAction,
} from "../admin/control.ts";
import type { PluginView } from "../admin/plugins.ts";
import type { PipelineView } from "../cell/pipeline_view.ts";
import type { Supervisor } from "../cell/supervisor.ts";
import { logText } from "../log.ts";
import type { AuditEntry } from "../store/audit.ts";
import { StoreError } from "../store/errors.ts";
import type { DesiredState, HostStore } from "../store/host_store.ts";
import type { LetterPage, LetterQuery, StoredLetter } from "../store/letter_box.ts";
import { Turns } from "../turns.ts";
import { audited } from "./audited.ts";
import { CellSteering, isHeld } from "./cell_steering.ts";
import { LetterControl } from "./letter_control.ts";
import { BUILTIN } from "./plugin_set.ts";
import { ServiceCalls } from "./service_calls.ts";
import { capitalTitleOf, titleOf, unitName } from "./units.ts";

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
  reloader: Reloader;
}

/** A pipeline, service or hook, and what is wanted of it. */
type SteeredView = PipelineView & { desired: DesiredState };

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
  readonly #cells: CellSteering;
  readonly #services: ServiceCalls;
  /** One change at a time, so that none undoes half of another. */
  readonly #turns = new Turns();

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#supervisor = options.supervisor;
    this.#cells = new CellSteering(options.supervisor);
    this.#services = new ServiceCalls(options.supervisor);
    this.#letters = new LetterControl(options.dataDirectory, {
      store: options.store,
      configured: () => options.supervisor.pipelines().map(({ id }) => id),
    });
  }

  /** The host stops: nothing is started any more. */
  close(): void {
    this.#cells.close();
  }

  /** Pipelines as the API shows them: with what is wanted of them. */
  pipelines(): SteeredView[] {
    return this.units().filter(({ id }) => unitName(id).kind === "pipeline");
  }

  /** The same with services and hooks, each by the id that cells know it by. */
  units(): SteeredView[] {
    const units = this.#supervisor.units();
    const blocked = this.#cells.members(this.#blocked(units).map(({ id }) => id));
    return units.map((unit) => ({
      ...unit,
      desired: blocked.includes(unit.id) ? "stopped" : this.#desired(unit.id),
    }));
  }

  /** Says in the log what is not started, since nobody may remember why. */
  reportHeld(): void {
    for (const { id, status, desired } of this.units()) {
      if (status === "disabled" || desired === "running") continue;
      const plugin = this.#disabledFor(id);
      const why = plugin === undefined
        ? `it was ${desired}; "busbar ${startCommand(id)}" starts it`
        : `plugin "${plugin}" was disabled; "busbar enable ${plugin}" allows it again`;
      const text = `${capitalTitleOf(id)} is not started: ${why}`;
      logText(["busbar", "host"], "warning", { text, properties: { pipeline: id } });
    }
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
    if (!this.pipelines().some((pipeline) => pipeline.id === id)) {
      throw new ControlError(404, "PipelineNotFound", `Unknown pipeline "${id}"`);
    }
    return this.#steer(id, action, who);
  }

  service(name: string, action: ServiceAction, who: Actor): Promise<PipelineOutcome> {
    const id = name.startsWith("hook:") ? name : `service:${name}`;
    if (!this.units().some((unit) => unit.id === id)) {
      throw new ControlError(404, "ServiceNotFound", `Unknown service "${name}"`);
    }
    return this.#steer(id, action, who);
  }

  letters<T>(
    pipeline: string,
    query: LetterQuery,
    page: LetterPage & { view: (letter: StoredLetter) => T },
  ): { total: number; letters: T[] } {
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

  serviceLimits(id: string): { maxInput: number } {
    return this.#services.find(id).service;
  }

  execute(id: string, execution: Execution): Promise<ExecutionOutcome> {
    return this.#services.execute(id, execution);
  }

  audit(page: LetterPage): AuditEntry[] {
    return this.#store.auditLog(page);
  }

  /** @returns ids of the pipelines it touched */
  async #actOnPlugin(name: string, action: PluginAction): Promise<string[]> {
    if (action === "disable" || action === "enable") {
      this.#store.setEnabled(name, action === "enable");
    } else await refusing("ReloadFailed", () => this.#exchange(name, action));
    const pipelines = this.#supervisor.units();
    const users = pipelines.filter(({ components }) =>
      components.some(({ plugin }) => plugin === name)
    );
    const members = this.#cells.members(users.map(({ id }) => id));
    if (action === "disable") await this.#cells.steer(members, "stop");
    if (action === "enable") {
      const held = pipelines.filter((pipeline) => isHeld(this.#store, pipeline));
      const still = this.#cells.members(held.map(({ id }) => id));
      await this.#cells.steer(members.filter((id) => !still.includes(id)), "start");
    }
    return members;
  }

  async #exchange(name: string, action: "reload" | "rollback"): Promise<void> {
    const before = this.#store.current(name)?.digest;
    await this.#options.reloader[action](name);
    if (action !== "rollback" || before === undefined) return;
    try {
      this.#store.noteRollback(name, before);
    } catch (error) {
      // It is done all the same; only the next start may take the files that lie there.
      const text =
        `Cannot note the rollback of plugin "${name}", a restart of busbar may undo it: ` +
        (error as Error).message;
      logText(["busbar", "host"], "error", { text, properties: { plugin: name } });
    }
  }

  #steer(id: string, action: PipelineAction, who: Actor): Promise<PipelineOutcome> {
    const { kind, name } = unitName(id);
    const state = () => this.#outcome(id);
    const change = { who, action: `${kind}.${action}`, target: name, state };
    return this.#turns.take(() =>
      audited(this.#store, change, async () => {
        await this.#actOnUnit(id, action);
        return this.#outcome(id);
      })
    );
  }

  async #actOnUnit(id: string, action: PipelineAction): Promise<void> {
    const members = this.#cells.members([id]);
    this.#check(id, action);
    const before = new Map(members.map((member) => [member, this.#desired(member)]));
    this.#store.setDesired(new Map(members.map((member) => [member, WANTED[action]])));
    try {
      await refusing("ActionFailed", () => this.#cells.steer([id], action));
    } catch (error) {
      // Everything else goes on by itself towards what was wanted.
      if (action === "pause") this.#store.setDesired(before);
      throw error;
    }
  }

  /** Whether the action makes sense. */
  #check(id: string, action: PipelineAction): void {
    const { status } = this.#outcome(id);
    const refuse = (code: string, why: string): never => {
      throw new ControlError(409, code, `Cannot ${action} ${titleOf(id)}: ${why}`);
    };
    if (status === "disabled") refuse("SetInConfiguration", "the configuration disables it");
    const plugin = this.#disabledFor(id);
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

  #desired(unit: string): DesiredState {
    return this.#store.desiredStates().get(unit) ?? "running";
  }

  /** Those that use a plugin which is disabled. */
  #blocked(pipelines: readonly PipelineView[]): PipelineView[] {
    return pipelines.filter(({ components }) =>
      components.some(({ plugin }) => !this.#store.isEnabled(plugin))
    );
  }

  /** The disabled plugin that keeps the pipeline's cells from being started, if there is one. */
  #disabledFor(id: string): string | undefined {
    const members = this.#cells.members([id]);
    return this.#supervisor.units().filter((pipeline) => members.includes(pipeline.id))
      .flatMap(({ components }) => components.map(({ plugin }) => plugin))
      .find((plugin) => !this.#store.isEnabled(plugin));
  }

  #outcome(id: string): PipelineOutcome {
    const { status, desired } = this.units().find((unit) => unit.id === id) ??
      { status: "gone", desired: "stopped" };
    return { id: unitName(id).name, status, desired };
  }

  #pluginOutcome(name: string, pipelines: string[]): PluginOutcome {
    const { version, digest } = this.#store.current(name) ?? { version: null, digest: null };
    return { name, enabled: this.#store.isEnabled(name), version, digest, pipelines };
  }
}

/** The command that starts it. */
function startCommand(id: string): string {
  const { kind, name } = unitName(id);
  return kind === "pipeline"
    ? `pipeline start ${name}`
    : `service start ${kind === "hook" ? id : name}`;
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
