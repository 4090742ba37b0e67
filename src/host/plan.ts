import { buildInfo } from "../build_info.ts";
import { BUILTIN_MANIFEST } from "../component/builtin/manifest.ts";
import { checkBuiltin } from "./builtin_check.ts";
import { type Diagnostic, sortDiagnostics } from "../config/diagnostic.ts";
import { SettingError } from "../config/setting_error.ts";
import { type Catalog, resolveConfig } from "../config/graph_check.ts";
import type { LoadedConfig } from "../config/load.ts";
import { placeOf } from "../config/cell_check.ts";
import type { ResolvedHttp, ResolvedPipeline } from "../config/resolved.ts";
import { checkSonames } from "../plugin/shared_libraries.ts";
import { findPlugins, type PluginSet } from "./plugin_set.ts";

/** What a configuration comes to with the plugins there are. */
export interface Plan {
  /** Services and hooks among them. */
  pipelines: ResolvedPipeline[];
  http?: ResolvedHttp;
  plugins: PluginSet;
  /** All that is wrong or worth a word, of the configuration and of how it fits the plugins. */
  diagnostics: Diagnostic[];
}

/** Checks a configuration against the plugins; loads none of them and opens no connection. */
export async function makePlan(
  loaded: LoadedConfig,
  pluginDirs: readonly string[] = [],
): Promise<Plan> {
  return await planWith(loaded, await findPlugins(loaded.config.plugins, pluginDirs));
}

/** Checks a configuration against `plugins`. */
export async function planWith(loaded: LoadedConfig, plugins: PluginSet): Promise<Plan> {
  const { pipelines, http, diagnostics } = await resolveConfig(loaded, catalogOf(plugins));
  diagnostics.push(
    ...loaded.warnings,
    ...plugins.rules.faults.map(({ path, message }) => loaded.source.diagnostic(path, message)),
    ...await conflicts(loaded, pipelines, plugins),
    ...unreplayable(loaded, pipelines),
    ...await unusableHooks(loaded, http),
  );
  return {
    pipelines,
    ...(http && { http }),
    plugins,
    diagnostics: sortDiagnostics(diagnostics),
  };
}

/** All plugins that a configuration may name. */
export function catalogOf({ plugins }: Pick<PluginSet, "plugins">): Catalog {
  return {
    plugins: [
      { ...BUILTIN_MANIFEST, leftOut: buildInfo().leftOut, check: checkBuiltin },
      ...plugins.map(({ manifest, runtime }) => ({ ...manifest, runtime })),
    ],
  };
}

/** Names of the plugins that the enabled pipelines run. */
export function usedPlugins(pipelines: readonly ResolvedPipeline[]): Set<string> {
  const enabled = pipelines.filter(({ enabled }) => enabled);
  return new Set(enabled.flatMap(({ components }) => components.map(({ plugin }) => plugin)));
}

/** Plugins of one cell that bring different libraries under one name. */
async function conflicts(
  { source }: LoadedConfig,
  pipelines: readonly ResolvedPipeline[],
  { plugins }: PluginSet,
): Promise<Diagnostic[]> {
  const enabled = pipelines.filter(({ enabled }) => enabled);
  const found: Diagnostic[] = [];
  for (const members of Map.groupBy(enabled, ({ cell }) => cell).values()) {
    const used = usedPlugins(members);
    const problems = await checkSonames(plugins.filter(({ name }) => used.has(name)));
    const last = members.at(-1)!;
    found.push(
      ...problems.map(({ message }) => source.diagnostic(placeOf(last), message)),
    );
  }
  return found;
}

/** Built-in hooks whose settings fit the schema, but not each other. */
async function unusableHooks(
  { source }: LoadedConfig,
  http: ResolvedHttp | undefined,
): Promise<Diagnostic[]> {
  const found: Diagnostic[] = [];
  for (const { id, index, hook } of http?.hooks ?? []) {
    if (!("builtin" in hook)) continue;
    const { makeHook } = await import("../http/hooks/mod.ts");
    await makeHook(hook).catch((error: Error) => {
      const message = `Cannot use hook "${id}": ${error.message}`;
      const keys = error instanceof SettingError ? error.keys : [];
      found.push(source.diagnostic(["http", "hooks", index, "config", ...keys], message));
    });
  }
  return found;
}

/** Sources whose events are gone when their cell is, since nothing can give them again. */
function unreplayable(
  { source }: LoadedConfig,
  pipelines: readonly ResolvedPipeline[],
): Diagnostic[] {
  const enabled = pipelines.filter(({ enabled }) => enabled);
  return enabled.flatMap((pipeline) =>
    pipeline.components.filter(({ kind, replayable, buffer }) =>
      kind === "source" && !replayable && !buffer
    ).map(
      ({ id, plugin, component }) =>
        source.diagnostic(
          ["pipelines", pipeline.id, "sources", id, "use"],
          `Source "${id}" (${plugin}/${component}) of pipeline "${pipeline.id}" cannot replay: events in ` +
            "flight are lost if its cell ends unexpectedly",
          { severity: "warning", suggestion: "give it a buffer: { type: disk }" },
        ),
    )
  );
}
