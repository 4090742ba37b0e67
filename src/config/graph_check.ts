import { type Catalog, lookUp, messageAt } from "./catalog.ts";
import { checkCells } from "./cell_check.ts";
import { checkSharedConfig, componentConfig, mergedConfig } from "./component_config.ts";
import { ConfigError, type Diagnostic, hasErrors, sortDiagnostics } from "./diagnostic.ts";
import { connect, type Edge, type GraphNode, outputsOf } from "./graph.ts";
import type { LoadedConfig } from "./load.ts";
import { pipelineSettings } from "./pipeline_settings.ts";
import { resolveHttp } from "./http_check.ts";
import type {
  BufferSettings,
  ResolvedComponent,
  ResolvedHttp,
  ResolvedPipeline,
} from "./resolved.ts";
import type { PipelineConfig } from "./schema.ts";
import { resolveServices } from "./service_check.ts";
import { formatPath } from "./source.ts";
import { checkStandardInput } from "./stdin_check.ts";
import { didYouMean } from "./suggest.ts";

export type { Catalog, ComponentDescription, PluginDescription } from "./catalog.ts";

/** What a configuration comes to. */
export interface Resolution {
  /** Services and hooks among them, after the pipelines. */
  pipelines: ResolvedPipeline[];
  http?: ResolvedHttp;
  diagnostics: Diagnostic[];
}

/**
 * Checks a configuration against the plugins there are, and makes the plan for the cells. Loads
 * nothing and opens no connection.
 * @returns every finding, and the pipelines that have no error. Errors of a pipeline that is disabled
 * come as warnings, since they stop nothing.
 */
export async function resolveConfig(
  loaded: LoadedConfig,
  catalog: Catalog,
): Promise<Resolution> {
  const diagnostics = checkPlugins(loaded, catalog);
  const pipelines: ResolvedPipeline[] = [];
  for (const [id, config] of Object.entries(loaded.config.pipelines)) {
    const checker = new PipelineChecker(loaded, catalog, { id, config });
    const resolved = await checker.resolve();
    const found = checker.diagnostics;
    if (!hasErrors(found)) pipelines.push(resolved);
    diagnostics.push(...config.enabled ? found : found.map(asWarning));
  }
  const services = await resolveServices(loaded, catalog);
  pipelines.push(...services.units);
  const http = await resolveHttp(loaded, catalog, pipelines);
  pipelines.push(...http.units);
  diagnostics.push(...services.diagnostics, ...http.diagnostics);
  const { refused, diagnostics: shared } = checkCells(loaded, catalog, pipelines);
  const input = checkStandardInput(loaded, pipelines);
  diagnostics.push(...shared, ...input.diagnostics);
  return {
    pipelines: pipelines.filter(({ id }) => !refused.has(id) && !input.refused.has(id)),
    ...(http.http && { http: http.http }),
    diagnostics: sortDiagnostics(diagnostics),
  };
}

/** Every finding of `resolveConfig`, sorted by place. */
export async function checkConfig(loaded: LoadedConfig, catalog: Catalog): Promise<Diagnostic[]> {
  return (await resolveConfig(loaded, catalog)).diagnostics;
}

/**
 * The plan for the cells.
 * @throws ConfigError if anything is wrong with any enabled pipeline
 */
export async function resolvePipelines(
  loaded: LoadedConfig,
  catalog: Catalog,
): Promise<ResolvedPipeline[]> {
  const { pipelines, diagnostics } = await resolveConfig(loaded, catalog);
  if (hasErrors(diagnostics)) throw new ConfigError(loaded.source.file, diagnostics);
  return pipelines;
}

function asWarning(diagnostic: Diagnostic): Diagnostic {
  return { ...diagnostic, severity: "warning" };
}

function checkPlugins(loaded: LoadedConfig, catalog: Catalog): Diagnostic[] {
  const names = catalog.plugins.map(({ name }) => name);
  const unknown = Object.keys(loaded.config.plugins.use).filter((name) => !names.includes(name))
    .map((name) =>
      loaded.source.diagnostic(
        ["plugins", "use", name],
        `Unknown plugin "${name}" in plugins.use`,
        {
          suggestion: didYouMean(name, names),
          severity: "warning",
          at: "key",
        },
      )
    );
  return [...unknown, ...catalog.plugins.flatMap((plugin) => checkSharedConfig(loaded, plugin))];
}

class PipelineChecker {
  readonly diagnostics: Diagnostic[] = [];
  readonly #loaded: LoadedConfig;
  readonly #catalog: Catalog;
  readonly #id: string;
  readonly #config: PipelineConfig;

  constructor(
    loaded: LoadedConfig,
    catalog: Catalog,
    { id, config }: { id: string; config: PipelineConfig },
  ) {
    this.#loaded = loaded;
    this.#catalog = catalog;
    this.#id = id;
    this.#config = config;
  }

  async resolve(): Promise<ResolvedPipeline> {
    const { sources, processors, reactions } = this.#config;
    const nodes = [
      ...Object.entries(sources).map(([id, { use }]) =>
        this.#node("source", id, { use, from: [] })
      ),
      ...Object.entries(processors).map(([id, entry]) => this.#node("processor", id, entry)),
      ...Object.entries(reactions).map(([id, entry]) => this.#node("reaction", id, entry)),
    ];
    const { order, edges, diagnostics } = connect(this.#loaded.source, nodes);
    this.diagnostics.push(...diagnostics);
    this.#checkPartitions(nodes);
    const components: ResolvedComponent[] = [];
    for (const node of order) {
      if (node.found === undefined) continue;
      components.push(await this.#component(node, { ...node.found, from: edges.get(node) ?? [] }));
    }
    dropUnreadOutputs(components);
    return { ...pipelineSettings(this.#id, this.#config, this.#loaded.config.cells), components };
  }

  #node(
    kind: GraphNode["kind"],
    id: string,
    { use, from }: { use: string; from: readonly string[] },
  ): GraphNode {
    const path = ["pipelines", this.#id, `${kind}s`, id];
    const node: GraphNode = { id, kind, path, reads: from, outputs: [] };
    const found = lookUp(this.#catalog, use, kind);
    const where = [...path, "use"];
    const { source, config } = this.#loaded;
    if ("message" in found) {
      this.diagnostics.push(
        source.diagnostic(where, messageAt(found, formatPath(where)), {
          suggestion: found.suggestion,
        }),
      );
      return node;
    }
    const { name } = found.plugin;
    if (Object.hasOwn(config.plugins.use, name) && config.plugins.use[name]?.enabled === false) {
      this.diagnostics.push(
        source.diagnostic(
          where,
          `Cannot use plugin "${name}" in ${formatPath(where)}: it is disabled`,
          {
            suggestion: `set plugins.use.${name}.enabled: true, or disable the pipeline`,
          },
        ),
      );
    }
    const given = this.#config[`${kind}s`][id]?.config;
    const settings = mergedConfig(this.#loaded, { ...found, config: given });
    return { ...node, found, outputs: outputsOf(found.component, settings) };
  }

  #checkPartitions(nodes: readonly GraphNode[]): void {
    if (this.#config.partitions === 1) return;
    for (const { id, kind, found } of nodes) {
      if (kind !== "source" || found === undefined || found.component.partitioned) continue;
      const path = ["pipelines", this.#id, "partitions"];
      const message =
        `Cannot run ${this.#config.partitions} partitions of pipeline "${this.#id}": ` +
        `source "${id}" (${found.plugin.name}/${found.component.name}) cannot be partitioned`;
      this.diagnostics.push(this.#loaded.source.diagnostic(path, message));
    }
  }

  async #component(
    { id, kind, path, outputs }: GraphNode,
    { plugin, component, from }: NonNullable<GraphNode["found"]> & { from: Edge[] },
  ): Promise<ResolvedComponent> {
    const entry = this.#config[`${kind}s`][id];
    const { config, diagnostics } = await componentConfig(this.#loaded, {
      path,
      plugin,
      component,
      config: entry?.config,
    });
    this.diagnostics.push(...diagnostics);
    return {
      id,
      kind,
      plugin: plugin.name,
      component: component.name,
      config,
      from,
      outputs: kind === "reaction" ? [] : [...outputs],
      blocking: component.blocking ?? false,
      replayable: component.replayable ?? false,
      ...(plugin.name === "builtin" && component.tick_ms !== undefined
        ? { tickMs: component.tick_ms }
        : {}),
      ...(kind === "source" ? { buffer: bufferOf(this.#config.sources[id]!) } : {}),
      ...(kind === "reaction" ? { delivery: deliveryOf(this.#config.reactions[id]!) } : {}),
      ...(kind === "processor" ? { delivery: deliveryOf(this.#config.processors[id]!) } : {}),
    };
  }
}

/** Built-in components do without the outputs behind the last one that is read; plugins always have all of theirs. */
function dropUnreadOutputs(components: readonly ResolvedComponent[]): void {
  for (const component of components) {
    if (component.plugin !== "builtin") continue;
    const read = components.flatMap(({ from }) => from)
      .filter((edge) => edge.component === component.id).map(({ output }) => output + 1);
    component.outputs.splice(Math.max(1, ...read));
  }
}

function bufferOf({ buffer }: PipelineConfig["sources"][string]): BufferSettings | null {
  return buffer === undefined ? null : { maxBytes: buffer.max_bytes, whenFull: buffer.when_full };
}

function deliveryOf(
  { retry, on_failure }: PipelineConfig["reactions"][string],
): NonNullable<ResolvedComponent["delivery"]> {
  return {
    retry: {
      initialMs: retry.initial,
      maxMs: retry.max,
      multiplier: retry.multiplier,
      maxAttempts: retry.max_attempts,
      jitter: retry.jitter,
    },
    onFailure: on_failure,
  };
}
