import { RecordReader } from "../event/reader.ts";
import type { FlowBatch } from "./flow_batch.ts";
import type { Suspect } from "./spec.ts";

/** How the beginning of a batch is to be offered: so many records, up to byte `end`. */
export interface Portion {
  count: number;
  end: number;
  /** The one record of it is given up without being offered. */
  poison: boolean;
}

/**
 * Care after a crash: records that the component may have crashed on are offered one at a time, so that the next crash names
 * a single one, and what has killed the cell alone more than once is not offered any more.
 */
export class Suspicion {
  readonly #suspects: readonly Suspect[];
  readonly #reader = new RecordReader();

  constructor(suspects: readonly Suspect[]) {
    this.#suspects = suspects;
  }

  /** Records of a source come in the order of their sequences. */
  #isOver(source: number, sequence: number): boolean {
    return this.#suspects.every((suspect) => suspect.source === source && sequence >= suspect.end);
  }

  /** What of the batch is to be offered next; null when nothing is suspected any more. */
  portion(batch: FlowBatch): Portion | null {
    const reader = this.#reader.open(batch);
    let count = 0;
    let end = 0;
    while (reader.next()) {
      const { source, sequence } = reader;
      if (count === 0 && this.#isOver(source, sequence)) return null;
      const suspect = this.#suspects.find((one) =>
        one.source === source && sequence >= one.start && sequence < one.end
      );
      if (suspect !== undefined) {
        if (count > 0) break;
        return { count: 1, end: reader.end, poison: suspect.poison };
      }
      count++;
      end = reader.end;
    }
    return { count, end, poison: false };
  }
}
