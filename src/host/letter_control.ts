import { type Actor, ControlError } from "../admin/control.ts";
import { ID_PATTERN } from "../config/fields.ts";
import type { HostStore } from "../store/host_store.ts";
import {
  LetterBox,
  type LetterPage,
  type LetterQuery,
  pipelinesIn,
  type StoredLetter,
} from "../store/letter_box.ts";
import { note } from "./audited.ts";

/** The dead letters of a data folder, with changes in the audit log. */
export class LetterControl {
  readonly #dataDirectory: string;
  readonly #store: HostStore;
  readonly #box: LetterBox;
  readonly #configured: () => string[];

  /** `configured` are ids of pipelines that are there even if they have never run. */
  constructor(
    dataDirectory: string,
    options: { store: HostStore; configured?: () => string[] },
  ) {
    this.#dataDirectory = dataDirectory;
    this.#store = options.store;
    this.#configured = options.configured ?? (() => []);
    this.#box = new LetterBox(dataDirectory);
  }

  list<T>(
    pipeline: string,
    query: LetterQuery,
    page: LetterPage & { view: (letter: StoredLetter) => T },
  ): { total: number; letters: T[] } {
    return this.#box.list(this.#known(pipeline), query, page);
  }

  replay(pipeline: string, query: LetterQuery, who: Actor): number {
    const count = this.#box.replay(this.#known(pipeline), query);
    this.#note("dead_letters.replay", pipeline, { who, query, count });
    return count;
  }

  drop(pipeline: string, query: LetterQuery, who: Actor): number {
    const count = this.#box.drop(this.#known(pipeline), query);
    this.#note("dead_letters.drop", pipeline, { who, query, count });
    return count;
  }

  #note(
    action: string,
    target: string,
    { who, query, count }: { who: Actor; query: LetterQuery; count: number },
  ): void {
    note(this.#store, { who, action, target }, { before: query, after: { count }, result: "ok" });
  }

  /** Also one that is configured no more, as long as its folder is there. */
  #known(pipeline: string): string {
    const known = () => [...this.#configured(), ...pipelinesIn(this.#dataDirectory)];
    if (ID_PATTERN.test(pipeline) && known().includes(pipeline)) return pipeline;
    throw new ControlError(404, "PipelineNotFound", `Unknown pipeline "${pipeline}"`);
  }
}
