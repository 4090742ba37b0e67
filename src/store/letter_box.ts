import { join } from "node:path";
import type { LetterFilter } from "./dead_letters.ts";
import { type DeadLetter, PipelineStore } from "./pipeline_store.ts";

/** A letter with an id of its own among all partitions of its pipeline: "12", or "1-12" of partition 1. */
export type StoredLetter = Omit<DeadLetter, "id"> & { id: string };

export interface LetterQuery extends Omit<LetterFilter, "ids"> {
  ids?: string[];
}

export interface LetterPage {
  limit: number;
  offset: number;
}

/** Letters are read a few at a time, since each may be large. */
const CHUNK = 16;
/** A host must not be held up for long by a database that somebody has locked. */
const BUSY_MS = 1_000;

interface StoreFile {
  path: string;
  /** Before the id of a letter. */
  prefix: string;
}

/** Paths of the databases of all pipelines that a data folder has known, whether they are configured or not. */
export function pipelineDatabases(dataDirectory: string): { pipeline: string; path: string }[] {
  return pipelinesIn(dataDirectory).flatMap((pipeline) =>
    databasesOf(dataDirectory, pipeline).map(({ path }) => ({ pipeline, path }))
  );
}

/** Ids of the pipelines that a data folder has known. */
export function pipelinesIn(dataDirectory: string): string[] {
  return entries(join(dataDirectory, "pipelines")).filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name).sort();
}

/** The dead letters of pipelines, over all their partitions; also while cells add to them. */
export class LetterBox {
  readonly #dataDirectory: string;

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
  }

  /** Views of letters, oldest first within each partition. @throws {StoreError} here and below */
  list<T>(
    pipeline: string,
    query: LetterQuery,
    { limit, offset, view }: LetterPage & { view: (letter: StoredLetter) => T },
  ): { total: number; letters: T[] } {
    const letters: T[] = [];
    let total = 0;
    this.#each(pipeline, query, ({ store, prefix, filter }) => {
      let at = Math.max(0, offset - total);
      const count = store.letterCount(filter);
      total += count;
      while (at < count && letters.length < limit) {
        const page = { limit: Math.min(CHUNK, limit - letters.length), offset: at };
        const some = store.letters(filter, page);
        if (some.length === 0) break;
        at += some.length;
        letters.push(...some.map((letter) => view({ ...letter, id: `${prefix}${letter.id}` })));
      }
    });
    return { total, letters };
  }

  /** Marks letters to be offered again; how many. */
  replay(pipeline: string, query: LetterQuery): number {
    let count = 0;
    this.#each(pipeline, query, ({ store, filter }) => count += store.requestReplay(filter));
    return count;
  }

  /** Removes letters; how many. */
  drop(pipeline: string, query: LetterQuery): number {
    let count = 0;
    this.#each(pipeline, query, ({ store, filter }) => count += store.dropLetters(filter));
    return count;
  }

  #each(
    pipeline: string,
    { ids, ...rest }: LetterQuery,
    visit: (open: { store: PipelineStore; prefix: string; filter: LetterFilter }) => void,
  ): void {
    for (const { path, prefix } of databasesOf(this.#dataDirectory, pipeline)) {
      const own = ids?.filter((id) => id.slice(0, id.indexOf("-") + 1) === prefix)
        .map((id) => Number(id.slice(prefix.length)));
      if (own?.length === 0) continue;
      const store = PipelineStore.open(path, { busyTimeout: BUSY_MS });
      try {
        visit({ store, prefix, filter: own === undefined ? rest : { ...rest, ids: own } });
      } finally {
        store.close();
      }
    }
  }
}

/** The pipeline's own database, and those of partitions, which it may have had at other times. */
function databasesOf(dataDirectory: string, pipeline: string): StoreFile[] {
  const folder = join(dataDirectory, "pipelines", pipeline);
  const whole = databaseIn(folder, "");
  const parts = entries(folder).filter(({ name }) => /^\d+$/.test(name))
    .sort((a, b) => Number(a.name) - Number(b.name))
    .flatMap(({ name }) => databaseIn(join(folder, name), `${name}-`));
  return [...whole, ...parts];
}

function databaseIn(folder: string, prefix: string): StoreFile[] {
  return entries(folder).filter(({ name }) => /^pipeline(-\d+)?\.db$/.test(name))
    .map(({ name }) => ({ path: join(folder, name), prefix }));
}

function entries(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return [];
    }
    throw error;
  }
}
