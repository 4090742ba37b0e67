import { join } from "node:path";
import type { ResolvedComponent, ResolvedPipeline } from "../config/resolved.ts";
import type { CellPipeline } from "../pipeline/spec.ts";

/** One process to be: a pipeline, one partition of it, or several pipelines that name the same cell. */
export interface PlannedCell {
  name: string;
  pipelines: CellPipeline[];
}

/** A component and where it runs. Its number in the cell is its place in the list. */
export interface ComponentPlace {
  pipeline: ResolvedPipeline;
  partition: number;
  component: ResolvedComponent;
  /** Names it among all of a host's, also after a restart. */
  key: string;
}

/** The processes for all enabled pipelines. */
export function planCells(pipelines: ResolvedPipeline[], dataDirectory: string): PlannedCell[] {
  const cells = new Map<string, PlannedCell>();
  for (const pipeline of pipelines.filter(({ enabled }) => enabled)) {
    const partitionCount = pipeline.partitions;
    const [folder, id] = pipeline.service === undefined
      ? ["pipelines", pipeline.id]
      : [pipeline.id.startsWith("hook:") ? "hooks" : "services", pipeline.service.id];
    for (let partitionIndex = 0; partitionIndex < partitionCount; partitionIndex++) {
      const parted = partitionCount > 1;
      const name = parted ? `${pipeline.cell}/${partitionIndex}` : pipeline.cell;
      const cell = cells.get(name) ?? { name, pipelines: [] };
      cells.set(name, cell);
      cell.pipelines.push({
        pipeline,
        partitionIndex,
        partitionCount,
        dataDirectory: join(
          dataDirectory,
          folder,
          id,
          parted ? `${partitionIndex}` : "",
          "components",
        ),
        storePath: join(
          dataDirectory,
          folder,
          id,
          parted ? `pipeline-${partitionIndex}.db` : "pipeline.db",
        ),
      });
    }
  }
  return [...cells.values()];
}

/** All components of a cell in the order of their numbers. A service has one for each of the calls it takes at once. */
export function componentPlaces(pipelines: CellPipeline[]): ComponentPlace[] {
  return pipelines.flatMap(({ pipeline, partitionIndex: partition }) =>
    pipeline.components.flatMap((component) => {
      const key = `${pipeline.id}/${partition}/${component.id}`;
      const first = { pipeline, partition, component, key };
      const others = (pipeline.service?.concurrency ?? 1) - 1;
      return [
        first,
        ...Array.from({ length: others }, (_, i) => ({ ...first, key: `${key}#${i + 1}` })),
      ];
    })
  );
}

/** All sources of a cell in the order of their numbers. */
export function sourcePlaces(pipelines: CellPipeline[]): ComponentPlace[] {
  return componentPlaces(pipelines).filter(({ component }) => component.kind === "source");
}
