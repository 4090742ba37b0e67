import type { Catalog } from "./catalog.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { LoadedConfig } from "./load.ts";
import type { ResolvedPipeline } from "./resolved.ts";
import type { Path } from "./source.ts";

interface Fault {
  path: Path;
  message: string;
  suggestion: string;
}

/**
 * Checks what pipelines that share a process must agree on.
 * @returns what is wrong, and the ids of the pipelines that cannot join their cell
 */
export function checkCells(
  { source }: LoadedConfig,
  catalog: Catalog,
  pipelines: readonly ResolvedPipeline[],
): { refused: Set<string>; diagnostics: Diagnostic[] } {
  const refused = new Set<string>();
  const diagnostics: Diagnostic[] = [];
  const cells = Map.groupBy(pipelines.filter(({ enabled }) => enabled), ({ cell }) => cell);
  for (const members of cells.values()) {
    const first = members[0]!;
    const faults = members.flatMap((member) => {
      const fault = differences(first, member) ?? sharedPartitions(members, member);
      return fault === undefined ? [] : [{ id: member.id, fault }];
    });
    for (const { id, fault } of [...faults, ...goRuntimes(catalog, members)]) {
      const { path, message, suggestion } = fault;
      refused.add(id);
      diagnostics.push(source.diagnostic(path, message, { suggestion }));
    }
  }
  return { refused, diagnostics };
}

/** Where a pipeline, service or hook stands in the configuration. */
export function placeOf({ id, service }: ResolvedPipeline): Path {
  if (service === undefined) return ["pipelines", id];
  return id.startsWith("hook:") ? ["http", "hooks"] : ["services", service.id];
}

/** One process has one set of limits. */
function differences(first: ResolvedPipeline, other: ResolvedPipeline): Fault | undefined {
  const key = (["limits", "restart", "environment"] as const).find((key) =>
    JSON.stringify(first[key]) !== JSON.stringify(other[key])
  );
  return key && {
    path: [...placeOf(other), key],
    message: `Cannot run "${first.id}" and "${other.id}" in cell "${first.cell}": ` +
      `their ${key} differ`,
    suggestion: "one process has one setting: make them equal or use different cells",
  };
}

function sharedPartitions(
  members: readonly ResolvedPipeline[],
  { id, cell, partitions }: ResolvedPipeline,
): Fault | undefined {
  if (partitions === 1 || members.length === 1) return undefined;
  return {
    path: ["pipelines", id, "partitions"],
    message: `Cannot run ${partitions} partitions of pipeline "${id}" in cell "${cell}": ` +
      `a cell of several pipelines is one process`,
    suggestion: "give it a cell of its own",
  };
}

/** Two Go runtimes in one process hang it. */
function goRuntimes(
  catalog: Catalog,
  members: readonly ResolvedPipeline[],
): { id: string; fault: Fault }[] {
  const go = new Set(
    catalog.plugins.filter(({ runtime }) => runtime === "go").map(({ name }) => name),
  );
  const uses = members.flatMap((pipeline) =>
    pipeline.components.filter(({ plugin }) => go.has(plugin)).map((component) => ({
      pipeline,
      component,
    }))
  );
  const [first] = uses;
  const second = uses.find(({ component }) => component.plugin !== first?.component.plugin);
  if (first === undefined || second === undefined) return [];
  const { id, cell } = second.pipeline;
  const { kind, id: componentId, plugin } = second.component;
  return [{
    id,
    fault: {
      path: second.pipeline.service === undefined
        ? ["pipelines", id, `${kind}s`, componentId, "use"]
        : [...placeOf(second.pipeline), "use"],
      message:
        `Cannot use Go plugins "${first.component.plugin}" and "${plugin}" in cell "${cell}": ` +
        `two Go runtimes in one process hang it`,
      suggestion: "use them in pipelines of different cells",
    },
  }];
}
