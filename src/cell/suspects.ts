import type { Suspect } from "../pipeline/spec.ts";
import type { ComponentPlace } from "./cell_plan.ts";
import type { ComponentReading } from "./recorder_reader.ts";

/** Crashes with one record alone after which it is poison. */
const POISON_AFTER = 2;
/** The oldest are forgotten beyond this. */
const MOST = 256;

interface Known extends Suspect {
  /** Crashes while it was the only record that the component was given; undefined for a range of records. */
  alone?: number;
}

/**
 * What cells crashed on, so that the next one is careful with it: at first all that a batch may have held, then the single
 * record that the next crash names, which is poison when that happens again.
 */
export class Suspects {
  #known: Known[] = [];

  /** For the next cell; single records before ranges that they lie in. */
  get list(): Suspect[] {
    return this.#known.map(({ alone: _, ...suspect }) => suspect)
      .sort((a, b) => (a.end - a.start) - (b.end - b.start));
  }

  /** Notes that a cell died while, or because, this component was given records. */
  note({ pipeline, partition, component }: ComponentPlace, reading: ComponentReading): void {
    const { call, source, sequence } = reading;
    if ((call !== "process" && call !== "write") || sequence === 0) return;
    const place = { pipeline: pipeline.id, partition, component: component.id, source };
    const single = this.#find(place, sequence, true);
    if (single !== undefined) {
      single.alone!++;
      single.poison = single.alone! >= POISON_AFTER;
    } else if (this.#find(place, sequence, false) !== undefined) {
      this.#known.push({ ...place, start: sequence, end: sequence + 1, poison: false, alone: 1 });
    } else {
      const end = sequence + pipeline.batch.maxEvents;
      this.#known.push({ ...place, start: sequence, end, poison: false });
    }
    this.#known = this.#known.slice(-MOST);
  }

  #find(
    place: Pick<Suspect, "pipeline" | "partition" | "component" | "source">,
    sequence: number,
    single: boolean,
  ): Known | undefined {
    return this.#known.find((one) =>
      one.pipeline === place.pipeline && one.partition === place.partition &&
      one.component === place.component && one.source === place.source &&
      (one.alone !== undefined) === single && sequence >= one.start && sequence < one.end
    );
  }
}
