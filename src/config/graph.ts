import { type ComponentDescription, DEFAULT_OUTPUT, type PluginDescription } from "./catalog.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { type ConfigSource, formatPath, type Path } from "./source.ts";
import { didYouMean } from "./suggest.ts";

/** A component of a pipeline as the graph sees it. */
export interface GraphNode {
  id: string;
  kind: "source" | "processor" | "reaction";
  /** Where it stands: `pipelines.web.sources.access`. */
  path: Path;
  /** `from`, as written. */
  reads: readonly string[];
  /** Names of its outputs; those that its settings name too. */
  outputs: readonly string[];
  /** What `use` names; absent if that could not be found, which was reported. */
  found?: { plugin: PluginDescription; component: ComponentDescription };
}

export interface Edge {
  component: string;
  output: number;
}

/**
 * The names of a component's outputs: those of its manifest, then the keys of the settings whose schema has
 * `x-busbar-outputs`.
 */
export function outputsOf(
  component: ComponentDescription | undefined,
  config: Readonly<Record<string, unknown>> = {},
): string[] {
  const outputs = [...component?.outputs ?? []];
  for (const name of outputSettings(component)) {
    const value = config[name];
    if (typeof value === "object" && value !== null) outputs.push(...Object.keys(value));
  }
  return outputs.length > 0 ? [...new Set(outputs)] : [DEFAULT_OUTPUT];
}

/** The settings whose keys are names of outputs. */
function outputSettings(component: ComponentDescription | undefined): string[] {
  const properties = component?.config_schema?.["properties"] ?? {};
  return Object.entries(properties).filter(([, schema]) => schema?.["x-busbar-outputs"] === true)
    .map(([name]) => name);
}

/**
 * Looks up what every node reads, and puts the nodes in topological order, in the order of the file
 * where there is a choice. The order holds all nodes only if there are no errors.
 */
export function connect(
  source: ConfigSource,
  nodes: readonly GraphNode[],
): { order: GraphNode[]; edges: Map<GraphNode, Edge[]>; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const byId = new Map<string, GraphNode>();
  for (const node of nodes) {
    const first = byId.get(node.id);
    if (first === undefined) byId.set(node.id, node);
    else {
      const message = `Duplicate id "${node.id}" in ${formatPath(node.path.slice(0, 2))}: ` +
        `${formatPath(first.path)} has it already`;
      diagnostics.push(source.diagnostic(node.path, message, { at: "key" }));
    }
  }
  const edges = new Map<GraphNode, Edge[]>();
  for (const node of nodes) {
    const seen: Edge[] = [];
    for (const [index, entry] of node.reads.entries()) {
      const found = edgeOf(source, node, { entry, index, byId });
      if ("message" in found) diagnostics.push(found);
      else if (seen.some((edge) => sameEdge(edge, found))) {
        const path = entryPath(source, node, index);
        diagnostics.push(source.diagnostic(path, `Duplicate "${entry}" in ${formatPath(path)}`));
      } else seen.push(found);
    }
    edges.set(node, seen);
  }
  diagnostics.push(...unread(source, nodes, edges));
  const { order, cycle } = sort(
    nodes,
    (node) => edges.get(node)!.flatMap(({ component }) => byId.get(component) ?? []),
  );
  if (cycle !== undefined) diagnostics.push(cycleDiagnostic(source, cycle));
  return { order, edges, diagnostics };
}

/** A `from` of one name may be written without the list. */
function entryPath(source: ConfigSource, node: GraphNode, index: number): Path {
  const path = [...node.path, "from"];
  return source.has([...path, index]) ? [...path, index] : path;
}

function sameEdge(a: Edge, b: Edge): boolean {
  return a.component === b.component && a.output === b.output;
}

interface Entry {
  entry: string;
  index: number;
  byId: ReadonlyMap<string, GraphNode>;
}

function edgeOf(
  source: ConfigSource,
  node: GraphNode,
  { entry, index, byId }: Entry,
): Edge | Diagnostic {
  const path = entryPath(source, node, index);
  const where = formatPath(path);
  const dot = entry.indexOf(".");
  const id = dot < 0 ? entry : entry.slice(0, dot);
  const output = dot < 0 ? undefined : entry.slice(dot + 1);
  const target = byId.get(id);
  const readable = [...byId.values()].filter(({ kind }) => kind !== "reaction").map(({ id }) => id);
  if (target === undefined) {
    return source.diagnostic(path, `Unknown component "${id}" in ${where}`, {
      suggestion: didYouMean(id, readable.filter((name) => name !== node.id)),
    });
  }
  if (target.kind === "reaction") {
    return source.diagnostic(
      path,
      `Cannot read from reaction "${id}" in ${where}: a reaction has no output`,
      {
        suggestion: `read what it reads: ${target.reads.join(", ")}`,
      },
    );
  }
  if (target.found === undefined) return { component: id, output: 0 };
  const { outputs } = target;
  if (output === undefined) {
    if (outputSettings(target.found.component).length === 0) return { component: id, output: 0 };
    return source.diagnostic(path, `Missing output of ${target.kind} "${id}" in ${where}`, {
      suggestion: `there are: ${outputs.map((name) => `${id}.${name}`).join(", ")}`,
    });
  }
  const number = outputs.indexOf(output);
  if (number >= 0) return { component: id, output: number };
  return source.diagnostic(
    path,
    `Unknown output "${output}" of ${target.kind} "${id}" in ${where}`,
    {
      suggestion: didYouMean(output, outputs),
    },
  );
}

function unread(
  source: ConfigSource,
  nodes: readonly GraphNode[],
  edges: ReadonlyMap<GraphNode, Edge[]>,
): Diagnostic[] {
  const all = [...edges.values()].flat();
  const read = new Set(all.map(({ component }) => component));
  const outputs = nodes.filter(({ id }) => read.has(id)).flatMap((node) =>
    outputSettings(node.found?.component).flatMap((setting) =>
      node.outputs.flatMap((name, output) => {
        const path = [...node.path, "config", setting, name];
        const edge = { component: node.id, output };
        if (!source.has(path) || all.some((other) => sameEdge(other, edge))) return [];
        const message = `Nothing reads output "${name}" of ${node.kind} "${node.id}": ` +
          "its events go nowhere";
        return [source.diagnostic(path, message, { severity: "warning", at: "key" })];
      })
    )
  );
  const components = nodes.filter(({ kind, id }) => kind !== "reaction" && !read.has(id)).map((
    node,
  ) =>
    source.diagnostic(node.path, `Nothing reads ${node.kind} "${node.id}": its events go nowhere`, {
      severity: "warning",
      at: "key",
    })
  );
  return [...components, ...outputs];
}

/** Depth-first: a node comes after all that it reads. */
function sort(
  nodes: readonly GraphNode[],
  readsOf: (node: GraphNode) => GraphNode[],
): { order: GraphNode[]; cycle?: GraphNode[] } {
  const order: GraphNode[] = [];
  const done = new Set<GraphNode>();
  let cycle: GraphNode[] | undefined;
  const visit = (node: GraphNode, trail: GraphNode[]): void => {
    if (done.has(node)) return;
    const start = trail.indexOf(node);
    if (start >= 0) {
      cycle ??= trail.slice(start);
      return;
    }
    for (const next of readsOf(node)) visit(next, [...trail, node]);
    done.add(node);
    order.push(node);
  };
  for (const kind of ["source", "processor", "reaction"]) {
    for (const node of nodes) if (node.kind === kind) visit(node, []);
  }
  return cycle === undefined ? { order } : { order, cycle };
}

function cycleDiagnostic(source: ConfigSource, cycle: readonly GraphNode[]): Diagnostic {
  // The trail runs against the events: each node reads the next one.
  const names = [...cycle, cycle[0]!].map(({ id }) => id).reverse().join(" → ");
  const first = cycle[0]!;
  const next = cycle[1] ?? first;
  const index = first.reads.findIndex((entry) => entry.split(".")[0] === next.id);
  const message = `Cycle in ${formatPath(first.path.slice(0, 2))}: ${names}`;
  return source.diagnostic(entryPath(source, first, index), message, {
    suggestion: "events only move from sources to reactions",
  });
}
