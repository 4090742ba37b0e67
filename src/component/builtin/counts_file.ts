import { dirname } from "node:path";

/** What the file of `stats` holds. */
export interface Counts {
  events: number;
  bytes: number;
  marked: number;
  events_per_second: number;
  groups: Record<string, number>;
  /** By id of the source: the last event that is counted. */
  counted_to: Record<string, number>;
}

/** A JSON file that always holds one whole state, also after a crash of the machine. */
export class CountsFile {
  readonly #path: string;
  #last = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** The state that was last written; undefined when there is none that can be read. */
  async read(): Promise<Counts | undefined> {
    try {
      const counts = JSON.parse(await Deno.readTextFile(this.#path)) as Partial<Counts>;
      const { events = 0, bytes = 0, marked = 0, groups = {}, counted_to = {} } = counts;
      return { events, bytes, marked, events_per_second: 0, groups, counted_to };
    } catch {
      return undefined;
    }
  }

  /**
   * Replaces the state by what `counts` gives at the moment of writing, one write after the other.
   * @throws Error that names the file
   */
  write(counts: () => Counts): Promise<void> {
    const written = this.#last.then(() => this.#write(counts()));
    this.#last = written.catch(() => {});
    return written;
  }

  async #write(counts: Counts): Promise<void> {
    const next = `${this.#path}.tmp`;
    try {
      await Deno.mkdir(dirname(this.#path), { recursive: true });
      using file = await Deno.open(next, { write: true, create: true, truncate: true });
      const bytes = new TextEncoder().encode(`${JSON.stringify(counts)}\n`);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.syncData();
      await Deno.rename(next, this.#path);
    } catch (cause) {
      throw new Error(`Cannot write "${this.#path}": ${(cause as Error).message}`, { cause });
    }
  }
}
