import type { SourceState } from "../../ffi/flight_recorder.ts";
import type { Suspect } from "../pipeline/spec.ts";
import type { LastExit } from "./blame.ts";
import type { CellRun } from "./cell_run.ts";
import { type ComponentView, type Counters, NOTHING, sum } from "./component_counters.ts";
import { Suspects } from "./suspects.ts";

/** What of a cell outlives its processes: counters, where sources are, and what it crashed on. */
export class CellHistory {
  readonly #totals = new Map<string, Counters>();
  readonly #resume = new Map<string, SourceState>();
  readonly #suspects = new Suspects();

  /** Where each source, by key, goes on. */
  get resume(): ReadonlyMap<string, SourceState> {
    return this.#resume;
  }

  get suspects(): Suspect[] {
    return this.#suspects.list;
  }

  /** Keeps what a run leaves to those after it. */
  keep(run: CellRun): void {
    this.keepPositions(run);
    for (const [index, { key }] of run.places.entries()) {
      this.#totals.set(key, sum(this.#totals.get(key), run.component(index)));
    }
  }

  /** Keeps where its sources are. */
  keepPositions(run: CellRun): void {
    for (const [key, state] of run.sourceStates()) this.#resume.set(key, state);
  }

  /** Notes which records its components were given when it died. */
  noteCrash(run: CellRun, { component: culprit, pipeline }: LastExit): void {
    for (const [index, place] of run.places.entries()) {
      const reading = run.component(index);
      const ended = place.component.id === culprit && place.pipeline.id === pipeline;
      if (reading.calls % 2n === 1n || ended) this.#suspects.note(place, reading);
    }
  }

  /** A component by the key of its place, over all processes up to the present one. */
  component(key: string, run: CellRun | undefined): ComponentView {
    const total = this.#totals.get(key);
    const index = run?.places.findIndex((place) => place.key === key) ?? -1;
    if (run === undefined || index < 0) return { ...NOTHING, ...total };
    const { health, state, queued, pending, bufferBytes, bufferEvents, ...reading } = run.component(
      index,
    );
    return {
      ...sum(total, reading),
      health,
      healthMessage: run.healthMessages.get(index) ?? "",
      state,
      queued,
      pending,
      bufferBytes,
      bufferEvents,
    };
  }
}
