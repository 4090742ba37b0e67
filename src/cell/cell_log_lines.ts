import { logText } from "../log.ts";
import type { LastExit } from "./blame.ts";
import type { PlannedCell } from "./cell_plan.ts";

/** Logs why a cell has ended that was not told to. */
export function logCellExit(plan: PlannedCell, { message, ...facts }: LastExit): void {
  const pipeline = facts.pipeline ?? plan.pipelines[0]?.pipeline.id;
  logCellError(plan, `Cell "${plan.name}" ended: ${message}`, { ...facts, pipeline });
}

/** Logs what has gone wrong with a cell. */
export function logCellError(
  { name }: PlannedCell,
  text: string,
  properties: Record<string, unknown>,
): void {
  logText(["busbar", "cell"], "error", { text, properties: { cell: name, ...properties } });
}
