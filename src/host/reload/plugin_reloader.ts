import { logText } from "../../log.ts";
import { ReloadError } from "../../cell/reload_error.ts";
import type { Applied } from "../../cell/supervisor.ts";
import { PluginError } from "../../plugin/errors.ts";
import { type GoodInspection, inspectPlugin, requireGood } from "../../plugin/inspect.ts";
import { isWithin } from "../../plugin/paths.ts";
import { listTree, treeDigest } from "../../plugin/tree.ts";
import { findPlugins, type PluginSet } from "../plugin_set.ts";
import type { RunningPlan, VersionHistory } from "./running_plan.ts";

const CATEGORY = ["busbar", "host"];

export interface PluginReloaderOptions {
  /** Folders given besides those of the configuration. */
  pluginDirs: readonly string[];
  history: VersionHistory;
  audit: ReloadAudit;
}

/** Notes a change that nobody asked for through the API; `result` is "ok" or why it failed. */
export type ReloadAudit = (
  change: { who: "watcher" | "signal"; action: string; target: string },
  result: string,
) => void;

/** Takes new files of plugins while pipelines run, and goes back to those before. */
export class PluginReloader {
  readonly #running: RunningPlan;
  readonly #options: PluginReloaderOptions;
  /** Digests of what lay where plugins are found when it was last taken or refused. */
  readonly #seen = new Map<string, string>();
  /** Used plugins whose files are gone, which is said once. */
  readonly #missing = new Set<string>();

  constructor(running: RunningPlan, options: PluginReloaderOptions) {
    this.#running = running;
    this.#options = options;
    for (const { name } of running.plugins.plugins) {
      const digest = options.history.rolledBackFrom?.(name) ?? running.digestOf(name);
      if (digest !== undefined) this.#seen.set(name, digest);
    }
  }

  /**
   * Takes the plugin's files as they are now, also when they have not changed: the cells that run it, and only those, are
   * replaced, all of them or none.
   *
   * @throws {ReloadError} when it is refused or does not run; then the version before runs on
   */
  reload(name: string): Promise<Applied> {
    return this.#running.turns.take(async () => await this.#reload(name, await this.#find()));
  }

  /**
   * Takes the version that was in use before the present one, from the store; once more, and it is undone.
   *
   * @throws {ReloadError} when there is none, or it does not run; then the present one runs on
   */
  rollback(name: string): Promise<Applied> {
    return this.#running.turns.take(async () => {
      this.#running.noteVersions();
      const present = this.#running.plugins.plugins.find((plugin) => plugin.name === name);
      const copy = this.#options.history.previous(name);
      if (present === undefined || copy === undefined) {
        const why = present === undefined ? "there is none of that name" : "no other was in use";
        throw new ReloadError("inspect", `Cannot roll back plugin "${name}": ${why}`);
      }
      const { inspect } = this.#running.plugins.rules;
      const doing = `Cannot roll back plugin "${name}" to ${copy.version}: `;
      const found = await refusing(
        async () => requireGood(await inspectPlugin(copy.folder, inspect)),
        doing,
      );
      // It is still found where the operator put it.
      return await this.#take({ ...found, path: present.path }, this.#running.plugins);
    });
  }

  /**
   * Looks for what has changed: new plugins become known, changed ones are taken, those that are gone are forgotten unless they
   * are used. Failures are logged. What lies at `unsettled` paths is left as it was.
   */
  refresh(unsettled: ReadonlySet<string> = new Set()): Promise<void> {
    return this.#running.turns.take(async () => {
      const found = await this.#find();
      this.#report(found, unsettled);
      const fresh = new Map(found.plugins.map((plugin) => [plugin.name, plugin]));
      const present = new Map(this.#running.plugins.plugins.map((one) => [one.name, one]));
      const kept: GoodInspection[] = [];
      const changed: string[] = [];
      for (const name of new Set([...present.keys(), ...fresh.keys()])) {
        const [old, now] = [present.get(name), fresh.get(name)];
        if (old === undefined || now === undefined) {
          const one = old === undefined
            ? this.#appeared(now!, unsettled)
            : this.#gone(old, { found, unsettled });
          if (one !== undefined) kept.push(one);
        } else if (isUnder(unsettled, now.path) || !await this.#hasChanged(now)) kept.push(old);
        else if (this.#running.isUsed(name)) {
          kept.push(old);
          changed.push(name);
        } else kept.push(now);
      }
      this.#running.know({ ...found, plugins: kept.sort((a, b) => a.name < b.name ? -1 : 1) });
      for (const name of changed) await this.#tryReload(name, found);
    });
  }

  #appeared(now: GoodInspection, unsettled: ReadonlySet<string>): GoodInspection | undefined {
    if (isUnder(unsettled, now.path)) return undefined;
    const { name, path, manifest } = now;
    say("info", `Plugin "${name}" ${manifest.version} found in "${path}"`, name);
    return now;
  }

  #gone(
    old: GoodInspection,
    { found, unsettled }: { found: PluginSet; unsettled: ReadonlySet<string> },
  ): GoodInspection | undefined {
    const { name, path } = old;
    if (isUnder(unsettled, path)) return old;
    // One that is there, but broken, was told of already.
    const isThere = found.problems.some((problem) => isWithin(problem.path, path));
    if (!this.#running.isUsed(name)) {
      if (!isThere) say("info", `Plugin "${name}" is gone from "${path}"`, name);
      this.#seen.delete(name);
      return undefined;
    }
    if (isThere) return old;
    if (!this.#missing.has(name)) {
      const text =
        `Plugin "${name}" cannot be found in "${path}" any more, but is used: its copy runs on; ` +
        "put it back, or remove it from the pipelines, before the next start";
      say("warning", text, name);
    }
    this.#missing.add(name);
    return old;
  }

  /** Whether other files lie there than when they were last looked at. */
  async #hasChanged(now: GoodInspection): Promise<boolean> {
    this.#missing.delete(now.name);
    const digest = await digestOf(now);
    if (this.#seen.get(now.name) === digest) return false;
    this.#seen.set(now.name, digest);
    return true;
  }

  async #tryReload(name: string, found: PluginSet): Promise<void> {
    const change = { who: "watcher", action: "plugin.reload", target: name } as const;
    try {
      await this.#reload(name, found);
      this.#options.audit(change, "ok");
    } catch (error) {
      this.#options.audit(change, (error as Error).message);
    }
  }

  async #reload(name: string, found: PluginSet): Promise<Applied> {
    const plugin = found.plugins.find((plugin) => plugin.name === name);
    if (plugin === undefined) throw this.#notFound(name, found);
    this.#seen.set(name, await refusing(() => digestOf(plugin)));
    return await this.#take(plugin, found);
  }

  /** Why there is no good plugin of that name where it was, or anywhere. */
  #notFound(name: string, found: PluginSet): ReloadError {
    const place = this.#running.plugins.plugins.find((plugin) => plugin.name === name)?.path ??
      found.refused.find((plugin) => plugin.name === name)?.path;
    const problem = found.problems.find(({ path }) => place !== undefined && isWithin(path, place));
    const where = found.directories.map((directory) => `"${directory}"`).join(", ");
    const why = problem?.message ?? `Cannot reload plugin "${name}": it is not in ${where}`;
    return new ReloadError("inspect", why);
  }

  /** Runs with `plugin` in place of the present one; the others stay as they are. */
  async #take(plugin: GoodInspection, found: PluginSet): Promise<Applied> {
    const { name, manifest } = plugin;
    const others = this.#running.plugins.plugins.filter((one) => one.name !== name);
    const plugins = [...others, plugin]
      .sort((a, b) => a.name < b.name ? -1 : 1);
    const set = { ...found, plugins };
    const applied = await this.#running.change(this.#running.loaded, set, { force: name });
    say("info", `Plugin "${name}" ${manifest.version} taken from "${plugin.library}"`, name);
    return applied;
  }

  /** Tells of problems that are new. */
  #report(found: PluginSet, unsettled: ReadonlySet<string>): void {
    const known = new Set(this.#running.plugins.problems.map(({ message }) => message));
    for (const { code, path, message } of found.problems) {
      if (known.has(message) || isUnder(unsettled, path)) continue;
      logText(CATEGORY, "warning", { text: message, properties: { code, path } });
    }
  }

  async #find(): Promise<PluginSet> {
    return await findPlugins(this.#running.config.plugins, this.#options.pluginDirs);
  }
}

/** Whether a plugin's folder or library is one of the paths, or they name the other of both. */
function isUnder(paths: ReadonlySet<string>, path: string): boolean {
  return [...paths].some((one) => isWithin(one, path) || isWithin(path, one));
}

function digestOf({ folder, library }: GoodInspection): Promise<string> {
  return listTree(folder ?? library).then(treeDigest);
}

/** Makes what is wrong with a plugin a reload's error, whose message begins with `doing`. */
async function refusing<T>(work: () => Promise<T>, doing = ""): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof PluginError)) throw cause;
    throw new ReloadError("inspect", `${doing}${cause.message}`, { cause });
  }
}

function say(level: "info" | "warning" | "error", text: string, plugin: string): void {
  logText(CATEGORY, level, { text, properties: { plugin } });
}
