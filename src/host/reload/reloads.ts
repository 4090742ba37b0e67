import { dirname } from "node:path";
import type { LoadedConfig } from "../../config/load.ts";
import { logText } from "../../log.ts";
import { inspectPlugin, isGood } from "../../plugin/inspect.ts";
import { FolderWatcher } from "../watcher.ts";
import { ConfigReloader } from "./config_reloader.ts";
import { PluginReloader, type ReloadAudit } from "./plugin_reloader.ts";
import { PluginScan } from "./plugin_scan.ts";
import type { RunningPlan, VersionHistory } from "./running_plan.ts";
import type { Supervisor } from "../../cell/supervisor.ts";

export interface ReloadsOptions {
  /** Reads the configuration anew, as at the start. */
  load: () => Promise<LoadedConfig>;
  /** Folders given besides those of the configuration. */
  pluginDirs: readonly string[];
  history: VersionHistory;
  supervisor: Pick<Supervisor, "setLogLevel">;
  audit: ReloadAudit;
}

/** All that changes a running host's work: on request, on SIGHUP and when files change. */
export class Reloads implements AsyncDisposable {
  readonly plugins: PluginReloader;
  readonly config: ConfigReloader;
  readonly #watchers: FolderWatcher[] = [];
  readonly #hangup = () => void this.config.reloadAndReport("signal");

  private constructor(running: RunningPlan, options: ReloadsOptions) {
    this.plugins = new PluginReloader(running, options);
    this.config = new ConfigReloader(running, options);
  }

  /** Listens for SIGHUP and, unless `plugins.watch` says otherwise, watches plugins and the file of the configuration. */
  static async start(running: RunningPlan, options: ReloadsOptions): Promise<Reloads> {
    const reloads = new Reloads(running, options);
    Deno.addSignalListener("SIGHUP", reloads.#hangup);
    const { enabled, interval: intervalMs, debounce: debounceMs } = running.config.plugins.watch;
    if (!enabled) return reloads;
    const times = { intervalMs, debounceMs };
    reloads.#watchers.push(
      await watchPlugins(running, { reloader: reloads.plugins, ...times }),
      watchConfig(running.loaded.source.file, { reloader: reloads.config, ...times }),
    );
    return reloads;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.removeSignalListener("SIGHUP", this.#hangup);
    await Promise.all(this.#watchers.map((watcher) => watcher[Symbol.asyncDispose]()));
  }
}

interface Times {
  intervalMs: number;
  debounceMs: number;
}

async function watchPlugins(
  running: RunningPlan,
  { reloader, intervalMs, debounceMs }: Times & { reloader: PluginReloader },
): Promise<FolderWatcher> {
  const scan = await PluginScan.start({
    directories: () => running.plugins.directories,
    paths: () => Object.values(running.config.plugins.use).flatMap(({ path }) => path ?? []),
    quietMs: debounceMs,
    isWhole: async (path) => {
      const inspection = await inspectPlugin(path, running.plugins.rules.inspect).catch(() => null);
      return inspection !== null && isGood(inspection);
    },
  });
  return new FolderWatcher({
    folders: () => scan.folders,
    intervalMs,
    debounceMs,
    scan: guarded("plugins", async () => {
      const { changed, unsettled } = await scan.scan();
      if (changed) await reloader.refresh(unsettled);
      return unsettled.size > 0;
    }),
  });
}

function watchConfig(
  file: string,
  { reloader, intervalMs, debounceMs }: Times & { reloader: ConfigReloader },
): FolderWatcher {
  let known = contentOf(file);
  let pending: string | undefined;
  return new FolderWatcher({
    folders: () => new Set([dirname(file), dirname(realPath(file))]),
    intervalMs,
    debounceMs,
    scan: guarded("the configuration", async () => {
      const content = contentOf(file);
      if (content === undefined || content === known) return false;
      // Read twice with a quiet time between, it is not half a file.
      if (content !== pending) {
        pending = content;
        return true;
      }
      known = content;
      await reloader.reloadAndReport("watcher");
      return false;
    }),
  });
}

function guarded(what: string, scan: () => Promise<boolean>): () => Promise<boolean> {
  return async () => {
    try {
      return await scan();
    } catch (error) {
      const text = `Cannot look for changes of ${what}: ${(error as Error).message}`;
      logText(["busbar", "host"], "error", { text, properties: {} });
      return false;
    }
  };
}

/** Undefined while it is not there, as between two renames. */
function contentOf(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(file);
  } catch {
    return undefined;
  }
}

function realPath(file: string): string {
  try {
    return Deno.realPathSync(file);
  } catch {
    return file;
  }
}
