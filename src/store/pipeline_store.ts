import { type BufferRead, type BufferRow, BufferRows, type BufferUsage } from "./buffer_rows.ts";
import { checksum, sequenceNumber } from "./checksum.ts";
import { Database, type DatabaseOptions, type Row } from "./database.ts";
import {
  type DeadLetter,
  type DeadLetterInit,
  DeadLetters,
  type FailedReplay,
  type LetterFilter,
} from "./dead_letters.ts";
import { StoreError, storeError } from "./errors.ts";
import { PIPELINE_SCHEMA } from "./pipeline_schema.ts";

export type { BufferRead, BufferRow, BufferUsage } from "./buffer_rows.ts";
export type { DeadLetter, DeadLetterInit, FailedReplay, LetterFilter } from "./dead_letters.ts";

/** Up to where everything of a source was accepted. */
export interface Mark {
  source: string;
  sequence: number;
  /** Where the source resumes. */
  position: Uint8Array;
}

/** What a component saved. */
export interface StateRow {
  component: string;
  /** Of the format, as the component counts it. */
  version: number;
  data: Uint8Array;
}

/** What becomes durable together. */
export interface Round {
  /** Each replaces its source's. */
  marks: Mark[];
  /** Each replaces its component's. */
  states: StateRow[];
  deadLetters: DeadLetterInit[];
  /** Letters that were taken when offered again: they are removed. */
  delivered?: number[];
  failedReplays?: FailedReplay[];
  /** Rows that end at `upTo` or before are removed. */
  buffered?: { source: string; upTo: number }[];
}

/** More free pages than this are given back to the disk, some at each commit: 64 MiB, and 8 MiB. */
const FREE_PAGES = 4096;
const PAGES_AT_ONCE = 512;

/**
 * What one pipeline, or one partition of it, keeps on disk: its checkpoint, dead letters, and the buffers of its sources.
 * Cell and host have it open side by side. Every method is synchronous, and what it wrote is durable when it returns.
 *
 * Any method throws `StoreError` when the file cannot be read or written; what it was to write is then not there at all.
 */
export class PipelineStore {
  readonly #database: Database;
  readonly #letters: DeadLetters;
  readonly #buffer: BufferRows;

  /** Opens the file; makes it, readable for its owner only, when there is none. Its folder must exist. */
  static open(path: string, options: DatabaseOptions = {}): PipelineStore {
    return new PipelineStore(Database.open(path, PIPELINE_SCHEMA, options));
  }

  private constructor(database: Database) {
    this.#database = database;
    this.#letters = new DeadLetters(database);
    this.#buffer = new BufferRows(database);
  }

  get path(): string {
    return this.#database.path;
  }

  /**
   * Where to go on.
   *
   * @throws {StoreError} "Corrupt" when any of it is damaged: to go on from a part of it would lose events
   */
  checkpoint(): { marks: Mark[]; states: StateRow[] } {
    const action = "read checkpoint from";
    const path = this.path;
    return this.#database.read(action, () => {
      for (const problem of this.#checkpointProblems()) {
        throw storeError("Corrupt", problem, { action, path });
      }
      return {
        marks: this.#database.all("SELECT * FROM marks").map(markOf),
        states: this.#database.all("SELECT * FROM states").map(stateOf),
      };
    });
  }

  /** Makes a round durable, as a whole or not at all. */
  commit(round: Round): void {
    const buffered = round.buffered ?? [];
    const write = () => {
      for (const mark of round.marks) this.#putMark(mark);
      for (const state of round.states) this.#putState(state);
      const at = Date.now();
      for (const letter of round.deadLetters) this.#letters.add(letter, at);
      for (const id of round.delivered ?? []) this.#letters.remove(id);
      for (const replay of round.failedReplays ?? []) this.#letters.failAgain(replay);
      let removed = 0;
      for (const { source, upTo } of buffered) removed += this.#buffer.removeUpTo(source, upTo);
      return removed;
    };
    const removed = this.#buffer.avoidingDamage(
      buffered.map(({ source }) => source),
      () => this.#database.transaction("write checkpoint to", write),
    );
    if (removed > 0) this.#giveBack();
  }

  /** Dead letters, oldest first. */
  letters(filter: LetterFilter, page: { limit: number; offset: number }): DeadLetter[] {
    return this.#letters.list(filter, page);
  }

  letterCount(filter: LetterFilter = {}): number {
    return this.#letters.count(filter);
  }

  /** What all letters take, roughly. */
  letterBytes(): number {
    return this.#letters.bytes();
  }

  /** Removes letters, also ones that wait to be offered again; how many. */
  dropLetters(filter: LetterFilter): number {
    return this.#letters.drop(filter);
  }

  /** Marks letters to be offered again; how many. */
  requestReplay(filter: LetterFilter): number {
    return this.#letters.requestReplay(filter);
  }

  /** Letters to be offered again, by id. Damaged ones are not; they stay as letters, with an error that says so. */
  replays(limit: number, afterId = 0): DeadLetter[] {
    return this.#letters.replays(limit, afterId);
  }

  /** Removes letters that are too old, then the oldest until the rest fits; how many. */
  trimLetters(bounds: { maxBytes: number; maxAgeMs: number; now: number }): number {
    return this.#letters.trim(bounds);
  }

  /** Removes marks and states of what is not in the pipeline any more. Letters and buffered events stay. */
  retain({ sources, components }: { sources: string[]; components: string[] }): void {
    const others = (table: string, column: string) =>
      `DELETE FROM ${table} WHERE ${column} NOT IN (SELECT value FROM json_each(?))`;
    this.#database.transaction("write checkpoint to", () => {
      this.#database.run(others("marks", "source"), JSON.stringify(sources));
      this.#database.run(others("states", "component"), JSON.stringify(components));
    });
  }

  /** Appends to buffers, all or none; "Full" already when the disk is nearly full, so that checkpoints can still be taken. */
  appendRows(rows: readonly BufferRow[]): void {
    this.#buffer.append(rows);
  }

  /** The first sound row of a source that ends after `afterSequence`. */
  nextRow(source: string, afterSequence: number): BufferRead {
    return this.#buffer.next(source, afterSequence);
  }

  /** The last sound row of a source: where it resumes, and from which sequence it counts on. */
  lastRow(source: string): BufferRead {
    return this.#buffer.last(source);
  }

  bufferUsage(source: string): BufferUsage {
    return this.#buffer.usage(source);
  }

  bufferBytes(source: string): number {
    return this.#buffer.usage(source).bytes;
  }

  /** Removes the oldest rows that begin at `notBeforeSequence` or after it, until `bytesToFree` are free; what that was. */
  dropOldestRows(
    source: string,
    bytesToFree: number,
    notBeforeSequence: number,
  ): { rows: number; events: number; bytes: number } {
    return this.#buffer.dropOldest(source, bytesToFree, notBeforeSequence);
  }

  /** Everything that is wrong with the file, each with what it means; reads all of it. */
  integrity(): string[] {
    const [first, ...more] = this.#database.quickCheck();
    if (first !== undefined) {
      const others = more.length === 0 ? "" : `, and ${more.length} more`;
      return [
        `Structure of the file: ${first}${others}; move it aside with "busbar state check --repair"`,
      ];
    }
    return this.#database.read("check", () => [
      ...this.#checkpointProblems(),
      ...this.#letters.problems(),
      ...this.#buffer.problems(),
    ]);
  }

  /** Lets go of the file. */
  close(): void {
    this.#database.close();
  }

  #putMark({ source, sequence, position }: Mark): void {
    const sum = checksum(source, sequenceNumber(sequence), position);
    this.#database.run("REPLACE INTO marks VALUES (?, ?, ?, ?)", source, sequence, position, sum);
  }

  #putState({ component, version, data }: StateRow): void {
    const sum = checksum(component, version, data);
    this.#database.run("REPLACE INTO states VALUES (?, ?, ?, ?)", component, version, data, sum);
  }

  *#checkpointProblems(): Generator<string> {
    for (const row of this.#database.all("SELECT * FROM marks")) {
      const { source, sequence, position } = markOf(row);
      if (checksum(source, sequence, position) === Number(row.checksum)) continue;
      yield `position of source "${source}" is damaged: checksum differs`;
    }
    for (const row of this.#database.all("SELECT * FROM states")) {
      const { component, version, data } = stateOf(row);
      if (checksum(component, version, data) === Number(row.checksum)) continue;
      yield `state of component "${component}" is damaged: checksum differs`;
    }
  }

  #giveBack(): void {
    try {
      this.#database.read("give back free space of", () => {
        if (Number(this.#database.pragma("freelist_count")) < FREE_PAGES) return;
        this.#database.all(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`);
      });
    } catch (error) {
      // The round is durable; whatever is wrong, the next one meets it too.
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

function markOf(row: Row): Mark {
  return {
    source: row.source as string,
    sequence: Number(row.sequence),
    position: row.position as Uint8Array,
  };
}

function stateOf(row: Row): StateRow {
  return {
    component: row.component as string,
    version: Number(row.version),
    data: row.data as Uint8Array,
  };
}
