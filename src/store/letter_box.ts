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

  /** Oldest first within each partition. @throws {StoreError} here and below */
  list(
    pipeline: string,
    query: LetterQuery,
    { limit, offset }: LetterPage,
  ): { total: number; letters: StoredLetter[] } {
    const letters: StoredLetter[] = [];
    let total = 0;
    this.#each(pipeline, query, ({ store, prefix, filter }) => {
      const page = { limit: limit - letters.length, offset: Math.max(0, offset - total) };
      total += store.letterCount(filter);
      if (page.limit === 0) return;
      letters.push(
        ...store.letters(filter, page).map((letter) => ({
          ...letter,
          id: `${prefix}${letter.id}`,
        })),
      );
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
      const store = PipelineStore.open(path);
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
