import { basename } from "node:path";
import type { PluginView } from "../../admin/plugins.ts";
import type { PlannedCell } from "../../cell/cell_plan.ts";
import { pluginsOf } from "../../cell/cell_diff.ts";
import type { CellPlugin } from "../../cell/protocol.ts";
import { ReloadError } from "../../cell/reload_error.ts";
import type { Applied, Supervisor } from "../../cell/supervisor.ts";
import { type Diagnostic, formatDiagnostic, hasErrors } from "../../config/diagnostic.ts";
import type { LoadedConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { logText } from "../../log.ts";
import type { GoodInspection } from "../../plugin/inspect.ts";
import { storePlugin } from "../../plugin/store_copy.ts";
import { Turns } from "../../turns.ts";
import type { HttpListener } from "../http_listener.ts";
import { type Plan, planWith, usedPlugins } from "../plan.ts";
import type { PluginSet } from "../plugin_set.ts";
import { pluginViews } from "../plugin_views.ts";
import { type NotedVersions, removeOldVersions } from "./old_versions.ts";

/** The versions of plugins that were in use. */
export interface VersionHistory extends NotedVersions {
  current(plugin: string): PluginCopy | undefined;
  /** The one in use before the present one. */
  previous(plugin: string): PluginCopy | undefined;
  /** Digest of the one that the plugin was rolled back from, whose files may still lie where it is found. */
  rolledBackFrom?(plugin: string): string | undefined;
  /** Notes the one that is in use now. */
  use(copy: PluginCopy): void;
}

/** A plugin's copy in the store. */
export interface PluginCopy {
  name: string;
  version: string;
  /** Of its whole folder. */
  digest: string;
  folder: string;
}

/** What a host runs at a time. */
export interface Running {
  loaded: LoadedConfig;
  plan: Plan;
  /** Copies of the plugins in use, by name. */
  stored: ReadonlyMap<string, CellPlugin>;
}

export interface RunningPlanOptions {
  dataDirectory: string;
  supervisor: Pick<Supervisor, "apply">;
  http: Pick<HttpListener, "apply">;
  history: VersionHistory;
}

/** What the host runs, and the one way to change it. */
export class RunningPlan {
  /** Whoever changes it takes a turn, so that nobody starts from what is no longer so. */
  readonly turns = new Turns();
  readonly #options: RunningPlanOptions;
  #running: Running;

  constructor(running: Running, options: RunningPlanOptions) {
    this.#running = fromStore(running);
    this.#options = options;
  }

  get loaded(): LoadedConfig {
    return this.#running.loaded;
  }

  get config(): Config {
    return this.#running.loaded.config;
  }

  get plugins(): PluginSet {
    return this.#running.plan.plugins;
  }

  /** Digest of the copy of a plugin in use; undefined for others. */
  digestOf(plugin: string): string | undefined {
    const copy = this.#running.stored.get(plugin);
    return copy && basename(copy.directory);
  }

  isUsed(plugin: string): boolean {
    return this.#running.stored.has(plugin);
  }

  /** Plugins as the API shows them. */
  pluginViews(): PluginView[] {
    const enabled = this.#running.plan.pipelines.filter(({ enabled }) => enabled);
    return pluginViews(this.plugins, {
      use: this.config.plugins.use,
      usedBy: (plugin) =>
        enabled.filter((one) => usedPlugins([one]).has(plugin)).map(({ id }) => id),
    });
  }

  /** What is worth a word about the configuration and how it fits the plugins. */
  get diagnostics(): readonly Diagnostic[] {
    return this.#running.plan.diagnostics;
  }

  /** Notes the versions in use where they are not noted yet. @throws {StoreError} when they cannot be */
  noteVersions(): void {
    const { history } = this.#options;
    for (const [name, { directory, manifest }] of this.#running.stored) {
      const digest = basename(directory);
      if (history.current(name)?.digest === digest) continue;
      history.use({ name, version: manifest.version, digest, folder: directory });
    }
  }

  /** Removes copies of plugins that nothing can go back to any more. */
  async removeOldVersions(): Promise<void> {
    const { dataDirectory, history } = this.#options;
    for (const plugin of this.#running.stored.keys()) {
      await removeOldVersions(plugin, { dataDirectory, history, used: this.digestOf(plugin) });
    }
  }

  /** Knows other plugins, none of which is in use. */
  know(plugins: PluginSet): void {
    this.#running = { ...this.#running, plan: { ...this.#running.plan, plugins } };
  }

  /**
   * Runs `loaded` with `plugins`, all of it or nothing. Cells that run the plugin `force` are replaced in any case.
   *
   * @throws {ReloadError} when it does not fit together, or cannot be stored or run
   */
  async change(
    loaded: LoadedConfig,
    plugins: PluginSet,
    options: { force?: string } = {},
  ): Promise<Applied> {
    const plan = await planWith(loaded, plugins);
    const error = plan.diagnostics.find(({ severity }) => severity === "error");
    if (error !== undefined && hasErrors(plan.diagnostics)) {
      throw new ReloadError("inspect", formatDiagnostic(error));
    }
    const stored = await this.#store(plan);
    const forced = options.force;
    const force = (cell: PlannedCell) => forced !== undefined && pluginsOf(cell).has(forced);
    const next = { pipelines: plan.pipelines, plugins: stored };
    try {
      // Before the cells: what is wrong with it undoes nothing then.
      await this.#applyHttp(plan);
      const applied = await this.#options.supervisor.apply(next, { force }).catch(
        async (error) => {
          await this.#applyHttp(this.#running.plan);
          throw error;
        },
      );
      this.#running = fromStore({ loaded, plan, stored });
      this.#tryNoteVersions();
      return applied;
    } finally {
      await this.removeOldVersions();
    }
  }

  async #applyHttp({ http }: Plan): Promise<void> {
    try {
      await this.#options.http.apply(http);
    } catch (cause) {
      throw new ReloadError("start", (cause as Error).message, { cause });
    }
  }

  /** What runs, runs: a store that cannot be written must not say otherwise. */
  #tryNoteVersions(): void {
    try {
      this.noteVersions();
    } catch (error) {
      const text = `Cannot note which versions of plugins are in use: ${(error as Error).message}`;
      logText(["busbar", "host"], "error", { text, properties: {} });
    }
  }

  /** Copies what is used and was not used before, or is not what was used before. */
  async #store({ pipelines, plugins }: Plan): Promise<Map<string, CellPlugin>> {
    const used = usedPlugins(pipelines);
    const before = new Map(this.plugins.plugins.map((plugin) => [plugin.name, plugin]));
    const stored = new Map<string, CellPlugin>();
    for (const plugin of plugins.plugins.filter(({ name }) => used.has(name))) {
      const { name } = plugin;
      const present = before.get(name) === plugin ? this.#running.stored.get(name) : undefined;
      stored.set(name, present ?? await this.#copy(plugin));
    }
    return stored;
  }

  async #copy(plugin: GoodInspection): Promise<CellPlugin> {
    try {
      const { folder, library } = await storePlugin(plugin, {
        dataDir: this.#options.dataDirectory,
      });
      const { manifest, abiHash } = plugin;
      return { manifest, library, directory: folder, abiHash };
    } catch (cause) {
      throw new ReloadError("store", (cause as Error).message, { cause });
    }
  }
}

/** Reads plugins in use from their copies from now on: what lies where they were found may change or go. */
function fromStore({ loaded, plan, stored }: Running): Running {
  const plugins = plan.plugins.plugins.map((plugin) => {
    const copy = stored.get(plugin.name);
    return copy === undefined
      ? plugin
      : { ...plugin, library: copy.library, folder: copy.directory };
  });
  return { loaded, plan: { ...plan, plugins: { ...plan.plugins, plugins } }, stored };
}
