import { logText, setupLogging } from "../../log.ts";
import type { Applied, Supervisor } from "../../cell/supervisor.ts";
import { ConfigError, type Diagnostic, formatDiagnostic } from "../../config/diagnostic.ts";
import type { LoadedConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { findPlugins, type PluginSet } from "../plugin_set.ts";
import type { ReloadAudit } from "./plugin_reloader.ts";
import type { RunningPlan } from "./running_plan.ts";

const CATEGORY = ["busbar", "host"];

export interface ConfigReloaderOptions {
  /** Reads the configuration anew, as at the start. @throws {ConfigError} when it is broken */
  load: () => Promise<LoadedConfig>;
  pluginDirs: readonly string[];
  supervisor: Pick<Supervisor, "setLogLevel">;
  audit: ReloadAudit;
}

/** What a reload of the configuration has done. */
export interface ConfigReload extends Applied {
  /** Settings that have changed, but count only after a restart of the host. */
  needRestart: string[];
}

/** Takes changes of the configuration while pipelines run. */
export class ConfigReloader {
  readonly #running: RunningPlan;
  readonly #options: ConfigReloaderOptions;
  /** What the host has started with. */
  readonly #first: Config;

  constructor(running: RunningPlan, options: ConfigReloaderOptions) {
    this.#running = running;
    this.#options = options;
    this.#first = running.config;
  }

  /**
   * Reads the configuration and runs it in place of the present one: only cells whose plan differs are touched, and all of it
   * succeeds or nothing changes.
   *
   * @throws {ConfigError} when it is broken
   * @throws {ReloadError} when it does not fit the plugins, or a part of it does not run
   */
  reload(): Promise<ConfigReload> {
    return this.#running.turns.take(async () => {
      const loaded = await this.#options.load();
      const { config } = loaded;
      const before = this.#running.config;
      const found = await findPlugins(config.plugins, this.#options.pluginDirs);
      const applied = await this.#running.change(loaded, keepPresent(this.#running, found));
      if (JSON.stringify(config.log) !== JSON.stringify(before.log)) {
        await setupLogging(config.log);
        this.#options.supervisor.setLogLevel(config.log.level);
      }
      return { ...applied, needRestart: differences(this.#first, config) };
    });
  }

  /** {@linkcode reload}, with what comes of it in the log and the audit log. */
  async reloadAndReport(who: "watcher" | "signal"): Promise<void> {
    const change = { who, action: "config.reload", target: this.#running.loaded.source.file };
    try {
      const { added, removed, changed, needRestart } = await this.reload();
      const parts = Object.entries({ added, removed, changed }).filter(([, cells]) =>
        cells.length > 0
      ).map(([what, cells]) => `${what} ${cells.join(", ")}`);
      const text = `Configuration reloaded: ${parts.join("; ") || "no cell has changed"}`;
      logText(CATEGORY, "info", { text, properties: { added, removed, changed } });
      this.#options.audit(change, "ok");
      logDiagnostics(this.#running.diagnostics);
      for (const setting of needRestart) {
        const text = `Setting "${setting}" has changed, but counts only after a restart of busbar`;
        logText(CATEGORY, "warning", { text, properties: { setting } });
      }
    } catch (error) {
      const { message } = error as Error;
      const text = `Cannot reload the configuration, the one before runs on: ${message}`;
      logText(CATEGORY, "error", { text, properties: {} });
      this.#options.audit(change, message);
      if (error instanceof ConfigError) logDiagnostics(error.diagnostics);
    }
  }
}

function logDiagnostics(diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of diagnostics) {
    const text = formatDiagnostic(diagnostic).split("\n")[0]!;
    logText(CATEGORY, diagnostic.severity, { text, properties: { config: diagnostic.path } });
  }
}

/** A change of the configuration is no reason to take other files of plugins: only those at another place count. */
function keepPresent(running: RunningPlan, found: PluginSet): PluginSet {
  const present = new Map(running.plugins.plugins.map((plugin) => [plugin.name, plugin]));
  const plugins = found.plugins.map((plugin) => {
    const old = present.get(plugin.name);
    return old?.path === plugin.path ? old : plugin;
  });
  const names = new Set(found.plugins.map(({ name }) => name));
  const gone = [...present.values()].filter(({ name }) => !names.has(name) && running.isUsed(name));
  return {
    ...found,
    plugins: [...plugins, ...gone].sort((a, b) => a.name < b.name ? -1 : 1),
  };
}

/** Settings that only a start of the host reads. */
function differences(first: Config, now: Config): string[] {
  const pick = ({ data_dir, server, plugins: { preload, watch } }: Config) => ({
    data_dir,
    server,
    "plugins.preload": preload,
    "plugins.watch": watch,
  });
  const [a, b] = [pick(first), pick(now)];
  return Object.keys(a).filter((key) => {
    const setting = key as keyof typeof a;
    return JSON.stringify(a[setting]) !== JSON.stringify(b[setting]);
  });
}
