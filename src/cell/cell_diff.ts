import { componentPlaces, planCells, type PlannedCell } from "./cell_plan.ts";
import type { CellPlugin } from "./protocol.ts";
import type { Workload } from "./supervisor.ts";

/** What is known of a cell that runs. */
interface Present {
  plan: PlannedCell;
  plugins: ReadonlyMap<string, CellPlugin>;
}

/** What it takes to come from the present cells to those of a workload. */
export interface CellDiff<Cell extends Present> {
  removed: Cell[];
  changed: { cell: Cell; plan: PlannedCell }[];
  added: PlannedCell[];
  same: Cell[];
  /** Names of all cells to be, in their order. */
  order: string[];
}

/** How cells are compared. */
export interface DiffOptions {
  next: Workload;
  dataDirectory: string;
  /** Whether a cell counts as changed in any case. */
  force: (plan: PlannedCell) => boolean;
}

/**
 * Compares by cell. A pipeline that moves from one cell to another would run in both for a while if they were replaced, so these
 * cells are removed and added instead.
 */
export function diffCells<Cell extends Present>(
  present: readonly Cell[],
  { next, dataDirectory, force }: DiffOptions,
): CellDiff<Cell> {
  const plans = new Map(planCells(next.pipelines, dataDirectory).map((plan) => [plan.name, plan]));
  const homes = new Map(
    present.flatMap(({ plan }) => members(plan).map((key) => [key, plan.name])),
  );
  const moving = new Set(
    [...plans.values()].flatMap((plan) =>
      members(plan).flatMap((key) => {
        const home = homes.get(key);
        return home === undefined || home === plan.name ? [] : [home, plan.name];
      })
    ),
  );
  const diff: CellDiff<Cell> = {
    removed: [],
    changed: [],
    added: [],
    same: [],
    order: [...plans.keys()],
  };
  for (const cell of present) {
    const plan = plans.get(cell.plan.name);
    if (plan === undefined || moving.has(plan.name)) diff.removed.push(cell);
    else if (force(plan) || differs(cell, { plan, plugins: next.plugins })) {
      diff.changed.push({ cell, plan });
    } else diff.same.push(cell);
  }
  const kept = new Set(
    [...diff.changed.map(({ cell }) => cell), ...diff.same].map(({ plan }) => plan.name),
  );
  diff.added = [...plans.values()].filter(({ name }) => !kept.has(name));
  return diff;
}

/** Names of the plugins whose components the cell runs. */
export function pluginsOf(plan: PlannedCell): Set<string> {
  return new Set(componentPlaces(plan.pipelines).map(({ component }) => component.plugin));
}

function members({ pipelines }: PlannedCell): string[] {
  return pipelines.map(({ pipeline, partitionIndex }) => `${pipeline.id}/${partitionIndex}`);
}

function differs(a: Present, b: Present): boolean {
  if (JSON.stringify(a.plan) !== JSON.stringify(b.plan)) return true;
  return [...pluginsOf(b.plan)].some((name) =>
    a.plugins.get(name)?.library !== b.plugins.get(name)?.library
  );
}
