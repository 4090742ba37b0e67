import { BatchFlag } from "../../ffi/layout.ts";
import { append } from "../event/writer.ts";
import type { DeadLetter } from "../store/pipeline_store.ts";
import { FlowBatch, type Owner } from "./flow_batch.ts";
import type { Consumer } from "./node.ts";

/** Dead letters that are offered at once. */
const AT_ONCE = 16;

/** The outcome of replays, for the next checkpoint. */
export interface ReplayOutcome {
  /** Ids of letters that were accepted. */
  delivered: number[];
  failed: { id: number; error: string; attempts: number }[];
}

export interface ReplayerOptions {
  /** The next letters to be offered, behind this id. */
  take(limit: number, afterId: number): DeadLetter[];
  /** Who refused the letter; undefined when the pipeline has no such component any more. */
  consumer(component: string): Consumer | undefined;
  /** Number of a source by its id; 0 when it is gone. */
  sourceNumber(id: string): number;
}

/** Offers dead letters again to the component that refused them, each in a batch of its own. */
export class Replayer implements Owner {
  readonly #options: ReplayerOptions;
  readonly #under = new Map<
    FlowBatch,
    { letter: DeadLetter; failure?: { error: string; attempts: number } }
  >();
  #outcome: ReplayOutcome = { delivered: [], failed: [] };
  #last = 0;
  #wanted = true;

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /** Letters were marked; asks the store at the next turn. */
  request(): void {
    this.#wanted = true;
    this.#last = 0;
  }

  /** Offers what is marked, as far as there is room. */
  turn(): void {
    if (!this.#wanted || this.#under.size > 0) return;
    const letters = this.#options.take(AT_ONCE, this.#last);
    if (letters.length < AT_ONCE) this.#wanted = false;
    for (const letter of letters) {
      this.#last = letter.id;
      this.#offer(letter);
    }
  }

  get idle(): boolean {
    return this.#under.size === 0;
  }

  get hasOutcome(): boolean {
    return this.#outcome.delivered.length > 0 || this.#outcome.failed.length > 0;
  }

  /** What became of letters since this was last asked; the caller puts it back with {@linkcode restore} if it is not stored. */
  takeOutcome(): ReplayOutcome {
    const outcome = this.#outcome;
    this.#outcome = { delivered: [], failed: [] };
    return outcome;
  }

  restore(outcome: ReplayOutcome): void {
    this.#outcome.delivered.push(...outcome.delivered);
    this.#outcome.failed.push(...outcome.failed);
  }

  /** The component refused it once more. */
  failed(batch: FlowBatch, failure: { error: string; attempts: number }): void {
    const entry = this.#under.get(batch);
    if (entry !== undefined) entry.failure = failure;
  }

  recycle(batch: FlowBatch): void {
    const entry = this.#under.get(batch);
    this.#under.delete(batch);
    if (entry === undefined) return;
    const { letter: { id, attempts }, failure } = entry;
    if (failure === undefined) this.#outcome.delivered.push(id);
    else {
      const total = attempts + Math.max(1, failure.attempts);
      this.#outcome.failed.push({ id, error: failure.error, attempts: total });
    }
    // Its memory may still be looked at by the call that is returning.
    queueMicrotask(() => batch.free());
  }

  #offer(letter: DeadLetter): void {
    const consumer = this.#options.consumer(letter.component);
    if (consumer === undefined) {
      const error = `the pipeline has no component "${letter.component}" any more`;
      this.#outcome.failed.push({ id: letter.id, error, attempts: letter.attempts });
      return;
    }
    const bytes = letter.key.length + letter.payload.length + letter.attributes.length + 64;
    const batch = new FlowBatch(this, { bytes, limit: 1 });
    const source = this.#options.sourceNumber(letter.source);
    append(batch, letter, { source, sequence: letter.sequence });
    batch.references = 1;
    batch.flags = BatchFlag.REPLAY;
    this.#under.set(batch, { letter });
    consumer.offer(batch);
  }
}
