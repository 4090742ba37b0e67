import { basename } from "node:path";
import type { PluginView } from "../admin/plugins.ts";
import { BUILTIN_MANIFEST } from "../component/builtin/manifest.ts";
import type { Config } from "../config/schema.ts";
import type { PluginProblem } from "../plugin/errors.ts";
import type { Inspection } from "../plugin/inspect.ts";
import type { Manifest } from "../plugin/manifest.ts";
import { BUILTIN, type PluginSet } from "./plugin_set.ts";

/** What a view takes besides the plugins. */
export interface ViewOptions {
  use?: Config["plugins"]["use"];
  /** Ids of the enabled pipelines that run the plugin of a name. */
  usedBy?: (plugin: string) => string[];
}

/** The built-in plugin, those that may be used, and those that are refused, each sorted by name. */
export function pluginViews(set: PluginSet, options: ViewOptions = {}): PluginView[] {
  const usable = set.plugins.map((plugin) => viewOf(plugin, options));
  const refused = set.refused.map((plugin) => ({ ...viewOf(plugin, options), usedBy: [] }));
  const shown = new Set(set.refused.map(({ path }) => path));
  const others = set.problems
    .filter(({ path }) => !shown.has(path) && !set.directories.includes(path))
    .map((problem) => unreadView(problem, options));
  const bad = [...refused, ...others].sort((a, b) => a.name < b.name ? -1 : 1);
  return [builtinView(options), ...usable, ...bad];
}

function builtinView({ usedBy = () => [] }: ViewOptions): PluginView {
  return {
    ...manifestView(BUILTIN, BUILTIN_MANIFEST),
    path: null,
    digest: null,
    enabled: true,
    runtime: null,
    verdict: { ok: true, problems: [] },
    warnings: [],
    usedBy: usedBy(BUILTIN),
  };
}

/** An inspected plugin. */
export function viewOf(inspection: Inspection, options: ViewOptions = {}): PluginView {
  const { name, path, digest, manifest, runtime, verdict, warnings } = inspection;
  const { usedBy = () => [] } = options;
  const problems = verdict.problems.map(({ code, reason }) => ({ code, message: reason }));
  return {
    ...manifestView(name, manifest),
    path,
    digest,
    enabled: isEnabled(name, options),
    runtime: runtime ?? null,
    verdict: { ok: verdict.ok, problems },
    warnings,
    usedBy: usedBy(name),
  };
}

/** A plugin of which there is only a problem: no library that can be read, or another one stands before it. */
export function unreadView(
  { code, path, message }: PluginProblem,
  options: ViewOptions = {},
): PluginView {
  const name = basename(path);
  return {
    ...manifestView(name, undefined),
    path,
    digest: null,
    enabled: isEnabled(name, options),
    runtime: null,
    verdict: { ok: false, problems: [{ code, message }] },
    warnings: [],
    usedBy: [],
  };
}

function isEnabled(name: string, { use = {} }: ViewOptions): boolean {
  return !Object.hasOwn(use, name) || use[name]?.enabled !== false;
}

function manifestView(
  name: string,
  manifest: Manifest | undefined,
): Pick<PluginView, "name" | "version" | "description" | "target" | "components"> {
  return {
    name,
    version: manifest?.version ?? null,
    description: manifest?.description ?? null,
    target: manifest?.target ?? null,
    components: (manifest?.components ?? []).map(({ kind, name, description }) => ({
      kind,
      name,
      description: description ?? null,
    })),
  };
}
