import type { ResolvedComponent } from "../config/resolved.ts";
import type { Mark, PipelineStore } from "../store/pipeline_store.ts";
import { Line, type Stage } from "./line.ts";
import type { Consumer, Node, Surroundings } from "./node.ts";
import { openSource } from "./open_source.ts";
import type { PipelineOptions } from "./pipeline.ts";
import { ProcessorNode } from "./processor_node.ts";
import { ReactionNode } from "./reaction_node.ts";
import { SourceNode } from "./source_node.ts";
import { Suspicion } from "./suspicion.ts";

/** Makes a node for each component and connects them; sources go on from `marks`. */
export function makeNodes(
  options: PipelineOptions,
  given: { around: Surroundings; store: PipelineStore; marks: readonly Mark[] },
): { nodes: Node[]; sources: SourceNode[] } {
  const { spec: { pipeline, partitionIndex }, instances, suspects } = options;
  const nodes = new Map<string, Node>();
  const sources: SourceNode[] = [];
  for (const [i, component] of pipeline.components.entries()) {
    const node = makeNode(component, { options, ...given, index: i, number: sources.length });
    if (node instanceof SourceNode) sources.push(node);
    const suspected = suspects.filter((one) =>
      one.pipeline === pipeline.id && one.partition === partitionIndex &&
      one.component === instances[i]!.id
    );
    if (suspected.length > 0) node.suspicion = new Suspicion(suspected);
    nodes.set(component.id, node);
    for (const { component: from, output } of component.from) {
      const producer = nodes.get(from);
      const consumer = node as Node & Consumer;
      if (producer instanceof SourceNode) producer.consumers.push(consumer);
      else if (producer instanceof ProcessorNode) producer.consumers[output]!.push(consumer);
    }
  }
  return { nodes: [...nodes.values()], sources };
}

function makeNode(
  component: ResolvedComponent,
  given: {
    options: PipelineOptions;
    around: Surroundings;
    store: PipelineStore;
    marks: readonly Mark[];
    index: number;
    /** How many sources come before it. */
    number: number;
  },
): Node {
  const { options, around, store, marks, index, number } = given;
  const { spec: { pipeline: { batch } }, recorder, firstSource, maxPending } = options;
  const instance = options.instances[index]!;
  const delivery = component.delivery!;
  switch (component.kind) {
    case "service":
    case "hook":
      throw new Error(`Component "${component.id}" is no part of a pipeline`);
    case "processor":
      return new ProcessorNode(instance, around, { batch, delivery });
    case "reaction":
      return new ReactionNode(instance, around, { delivery, maxPending });
    case "source": {
      const { polled } = recorder.readSource(firstSource + number);
      const { sequence, position } = marks.find(({ source }) => source === component.id) ??
        { sequence: 0, position: new Uint8Array(0) };
      return openSource(instance, around, {
        number,
        sequence,
        replayed: Number(polled ?? 0n),
        position,
        batch,
        store,
        buffer: component.buffer ?? null,
        report: (reading) => recorder.setBuffer(instance.index, reading),
      });
    }
  }
}

/** Finds the sources that a straight line follows. */
export function findLines(
  sources: readonly SourceNode[],
  components: readonly ResolvedComponent[],
): void {
  const single = new Set(components.filter(({ from }) => from.length === 1).map(({ id }) => id));
  for (const source of sources.filter(({ buffered }) => !buffered)) {
    const stages: Stage[] = [];
    let consumers: readonly Consumer[] = source.consumers;
    while (consumers.length === 1) {
      const node = consumers[0] as ReactionNode | ProcessorNode;
      if (!single.has(node.id)) break;
      stages.push(node);
      consumers = node instanceof ProcessorNode ? node.consumers[0]! : [];
    }
    if (stages.at(-1) instanceof ReactionNode) source.line = Line.of(source, stages);
  }
}
