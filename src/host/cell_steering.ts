import { ControlError, type PipelineAction } from "../admin/control.ts";
import type { SupervisedCell } from "../cell/supervised_cell.ts";
import type { Supervisor } from "../cell/supervisor.ts";
import type { HostStore } from "../store/host_store.ts";

/** Whether a pipeline is not to run: an operator stopped or paused it, or it uses a plugin that is disabled. */
export function isHeld(
  store: HostStore,
  { id, components }: { id: string; components: readonly { plugin: string }[] },
): boolean {
  const state = store.desiredStates().get(id) ?? "running";
  const disabled = store.disabledPlugins();
  return state !== "running" || components.some(({ plugin }) => disabled.has(plugin));
}

/** Does to the cells of pipelines what operators want, until the host stops. */
export class CellSteering {
  readonly #supervisor: Pick<Supervisor, "cellsOf">;
  #closed = false;

  constructor(supervisor: Pick<Supervisor, "cellsOf">) {
    this.#supervisor = supervisor;
  }

  /** From now on nothing is started any more. */
  close(): void {
    this.#closed = true;
  }

  /** Ids of all pipelines that run in the cells of these, themselves among them. */
  members(ids: readonly string[]): string[] {
    const cells = this.#cells(ids);
    return [
      ...new Set(cells.flatMap(({ plan }) => plan.pipelines.map(({ pipeline }) => pipeline.id))),
    ];
  }

  /**
   * Does `action` to each cell of the pipelines; the cells side by side.
   *
   * @throws {Error} the first that went wrong
   */
  async steer(ids: readonly string[], action: PipelineAction): Promise<void> {
    const cells = this.#cells(ids);
    const results = await Promise.allSettled(cells.map((cell) => this.#steer(cell, action)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return;
    // A pipeline with some of its partitions paused is neither one nor the other.
    if (action === "pause") await Promise.allSettled(cells.map((cell) => cell.resume()));
    throw failed.reason;
  }

  #cells(ids: readonly string[]): SupervisedCell[] {
    return [...new Set(ids.flatMap((id) => this.#supervisor.cellsOf(id)))];
  }

  async #steer(cell: SupervisedCell, action: PipelineAction): Promise<void> {
    switch (action) {
      case "stop":
        return await cell.stop();
      case "pause":
        return await cell.pause();
      case "restart":
        return await this.#restart(cell);
      case "start":
      case "resume":
        return await this.#start(cell);
    }
  }

  /** From wherever it is: paused, stopped, given up or done. One that runs is left alone. */
  async #start(cell: SupervisedCell): Promise<void> {
    const statuses = cell.plan.pipelines.map(({ pipeline }) => cell.status(pipeline.id));
    if (statuses.some((status) => status === "failed" || status === "completed")) {
      return await this.#restart(cell);
    }
    this.#checkOpen();
    if (statuses.includes("paused")) return await cell.resume();
    cell.start();
  }

  async #restart(cell: SupervisedCell): Promise<void> {
    await cell.stop();
    this.#checkOpen();
    cell.renew();
    cell.start();
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new ControlError(503, "Stopping", "Cannot start pipelines: busbar is stopping");
    }
  }
}
