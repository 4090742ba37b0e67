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
          "pipelines",
          pipeline.id,
          parted ? `${partitionIndex}` : "",
          "components",
        ),
        storePath: join(
          dataDirectory,
          "pipelines",
          pipeline.id,
          parted ? `pipeline-${partitionIndex}.db` : "pipeline.db",
        ),
      });
    }
  }
  return [...cells.values()];
}

/** All components of a cell in the order of their numbers. */
export function componentPlaces(pipelines: CellPipeline[]): ComponentPlace[] {
  return pipelines.flatMap(({ pipeline, partitionIndex }) =>
    pipeline.components.map((component) => ({
      pipeline,
      partition: partitionIndex,
      component,
      key: `${pipeline.id}/${partitionIndex}/${component.id}`,
    }))
  );
}

/** All sources of a cell in the order of their numbers. */
export function sourcePlaces(pipelines: CellPipeline[]): ComponentPlace[] {
  return componentPlaces(pipelines).filter(({ component }) => component.kind === "source");
}
