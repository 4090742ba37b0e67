import type { CellPipeline, ComponentFailure, PipelineState } from "../pipeline/spec.ts";
import type { PlannedCell } from "./cell_plan.ts";

/** How a pipeline fares; "disabled" is for those that no cell was made for. */
export type PipelineStatus =
  | "starting"
  | "running"
  | "restarting"
  | "reloading"
  | "stopping"
  | "paused"
  | "stopped"
  | "completed"
  | "failed"
  | "disabled";

/** How the pipelines of a cell fare. */
export class PipelineStatuses {
  readonly #statuses = new Map<string, PipelineStatus>();
  readonly #failures = new Map<string, ComponentFailure>();
  readonly #onStatus: (pipeline: string) => void;

  /** All of them are stopped. */
  constructor(plan: PlannedCell, onStatus: (pipeline: string) => void) {
    this.#onStatus = onStatus;
    for (const { pipeline } of plan.pipelines) this.#statuses.set(pipeline.id, "stopped");
  }

  get(id: string): PipelineStatus | undefined {
    return this.#statuses.get(id);
  }

  /** Why the pipeline failed, if a component said so. */
  failure(id: string): ComponentFailure | undefined {
    return this.#failures.get(id);
  }

  set(id: string, status: PipelineStatus, failure?: ComponentFailure): void {
    if (failure !== undefined) this.#failures.set(id, failure);
    if (this.#statuses.get(id) === status) return;
    this.#statuses.set(id, status);
    this.#onStatus(id);
  }

  /** A copy, for `restore`. */
  copy(): Map<string, PipelineStatus> {
    return new Map(this.#statuses);
  }

  restore(statuses: Map<string, PipelineStatus>): void {
    for (const [id, status] of statuses) this.set(id, status);
  }

  /** The pipelines of `plan` that still have something to do. */
  active(plan: PlannedCell): CellPipeline[] {
    return plan.pipelines.filter(({ pipeline }) => !isFinal(this.#statuses.get(pipeline.id)!));
  }

  /** Those that would have something to do: also failed ones, and completed ones that differ from those of `present`. */
  unfinished(plan: PlannedCell, present: PlannedCell): CellPipeline[] {
    const before = new Map(present.pipelines.map((one) => [one.pipeline.id, one]));
    return plan.pipelines.filter((one) =>
      this.get(one.pipeline.id) !== "completed" ||
      JSON.stringify(one) !== JSON.stringify(before.get(one.pipeline.id))
    );
  }

  get isAnyFinal(): boolean {
    return [...this.#statuses.values()].some(isFinal);
  }

  /** Those of `unfinished` are no longer completed or failed; those that are not in `plan` are forgotten. */
  adopt(plan: PlannedCell, unfinished: readonly CellPipeline[]): void {
    const ids = new Set(plan.pipelines.map(({ pipeline }) => pipeline.id));
    for (const id of [...this.#statuses.keys()].filter((id) => !ids.has(id))) {
      this.#statuses.delete(id);
      this.#failures.delete(id);
    }
    for (const { pipeline: { id } } of unfinished) {
      const status = this.#statuses.get(id);
      if (status !== undefined && !isFinal(status)) continue;
      this.#failures.delete(id);
      this.set(id, "stopped");
    }
  }
}

/** Whether nothing more comes of it. */
export function isFinal(status: PipelineStatus | PipelineState): boolean {
  return status === "completed" || status === "failed";
}
