import {
  type Catalog,
  type ComponentDescription,
  lookUp,
  messageAt,
  type PluginDescription,
} from "./catalog.ts";
import { componentConfig } from "./component_config.ts";
import { type Diagnostic, hasErrors } from "./diagnostic.ts";
import type { LoadedConfig } from "./load.ts";
import { cellSettings } from "./pipeline_settings.ts";
import type { ResolvedPipeline } from "./resolved.ts";
import type { ServiceConfig } from "./schema.ts";
import { formatPath, type Path } from "./source.ts";

/** Time after its deadline in which a call may still return before its cell is taken to hang. */
const GRACE_MS = 1_000;
const DEFAULT_CONCURRENCY = 1;

/** What `use` of a service or hook names. */
export interface FoundComponent {
  plugin: PluginDescription;
  component: ComponentDescription;
  config: Record<string, unknown>;
}

/** A service or hook, and what is wrong with it. */
export interface CheckedUnit {
  found: FoundComponent | undefined;
  diagnostics: Diagnostic[];
}

/** The services as cells run them, and what is wrong with them. */
export async function resolveServices(
  loaded: LoadedConfig,
  catalog: Catalog,
): Promise<{ units: ResolvedPipeline[]; diagnostics: Diagnostic[] }> {
  const units: ResolvedPipeline[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const [id, config] of Object.entries(loaded.config.services)) {
    const path = ["services", id];
    const kinds = lookUpKind(catalog, config.use);
    const checked = await findUnit(loaded, catalog, { path, config, kind: kinds });
    const unit = checked.found &&
      makeUnit(loaded, checked, { id, prefix: "service", path, config });
    if (unit !== undefined && !hasErrors(checked.diagnostics)) units.push(unit);
    diagnostics.push(
      ...checked.diagnostics.map((one): Diagnostic =>
        config.enabled ? one : { ...one, severity: "warning" }
      ),
    );
  }
  return { units, diagnostics };
}

/** A hook may be a service too: it answers by `handle`. */
function lookUpKind(catalog: Catalog, use: string): "service" | "hook" {
  return "message" in lookUp(catalog, use, "service") &&
      !("message" in lookUp(catalog, use, "hook"))
    ? "hook"
    : "service";
}

/** Finds what `use` names and makes its settings. */
export async function findUnit(
  loaded: LoadedConfig,
  catalog: Catalog,
  { path, config, kind }: { path: Path; config: ServiceConfig; kind: "service" | "hook" },
): Promise<CheckedUnit> {
  const { source } = loaded;
  const where = [...path, "use"];
  const found = lookUp(catalog, config.use, kind);
  if ("message" in found) {
    const message = messageAt(found, formatPath(where));
    const { suggestion } = found;
    return { found: undefined, diagnostics: [source.diagnostic(where, message, { suggestion })] };
  }
  const { plugin, component } = found;
  const made = await componentConfig(loaded, { path, plugin, component, config: config.config });
  const diagnostics = [...made.diagnostics];
  const { use } = loaded.config.plugins;
  if (Object.hasOwn(use, plugin.name) && use[plugin.name]?.enabled === false) {
    const message = `Cannot use plugin "${plugin.name}" in ${formatPath(where)}: it is disabled`;
    diagnostics.push(source.diagnostic(where, message, {
      suggestion: `set plugins.use.${plugin.name}.enabled: true`,
    }));
  }
  return { found: { plugin, component, config: made.config }, diagnostics };
}

/** A service or hook of a plugin as cells run it. What is wrong with it is added to what was found. */
export function makeUnit(
  loaded: LoadedConfig,
  { found, diagnostics }: CheckedUnit,
  { id, prefix, path, config }: {
    id: string;
    prefix: "service" | "hook";
    path: Path;
    config: ServiceConfig;
  },
): ResolvedPipeline {
  const { plugin, component, config: settings } = found!;
  const most = component.concurrency ?? DEFAULT_CONCURRENCY;
  if (config.concurrency !== undefined && config.concurrency > most) {
    const where = [...path, "concurrency"];
    const message = `Cannot make ${config.concurrency} calls at once for ${formatPath(where)}: ` +
      `"${plugin.name}/${component.name}" takes ${most}`;
    diagnostics.push(loaded.source.diagnostic(where, message));
  }
  const cell = cellSettings(config, loaded.config.cells);
  const kind = component.kind as "service" | "hook";
  return {
    id: `${prefix}:${id}`,
    enabled: config.enabled,
    cell: config.cell ?? `${prefix}:${id}`,
    partitions: 1,
    validate: "normal",
    batch: { maxEvents: 1, maxBytes: 4096, maxDelayMs: 0, inFlight: 1 },
    checkpointIntervalMs: 1000,
    deadLetters: { maxBytes: 0, maxAgeMs: 0 },
    ...cell,
    timeouts: { ...cell.timeouts, callMs: config.timeout + GRACE_MS },
    components: [{
      id,
      kind,
      plugin: plugin.name,
      component: component.name,
      config: settings,
      from: [],
      outputs: [],
      blocking: component.blocking ?? false,
      replayable: false,
    }],
    service: {
      id,
      timeoutMs: config.timeout,
      maxInput: config.max_input,
      maxOutput: config.max_output,
      concurrency: config.concurrency ?? most,
      queue: config.queue,
    },
  };
}
