import { dirname } from "node:path";
import type { FileJournal, JournalEntry } from "./file_journal.ts";

/** Bytes that go into one file, one after the other. */
export interface Portion {
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
  /** Which events they are, where there is a journal. */
  entry?: Pick<JournalEntry, "runs" | "notes">;
}

/** The file that is written to. What fails leaves it as it was before. */
export class FileOutput {
  readonly #mode: number | undefined;
  readonly #journal: FileJournal | undefined;
  readonly #opened: () => void;
  #file: Deno.FsFile | undefined;
  #path = "";
  #inode: number | null = null;
  #offset = 0;

  constructor(
    options: { mode: number | undefined; journal: FileJournal | undefined; opened: () => void },
  ) {
    this.#mode = options.mode;
    this.#journal = options.journal;
    this.#opened = options.opened;
  }

  /** Appends, to another file than before if need be: that is made durable first. @throws Error that names the file */
  async append({ path, bytes, entry }: Portion): Promise<void> {
    try {
      if (path !== this.#path || this.#file === undefined) {
        await this.close();
        await this.#open(path);
      }
      if (entry !== undefined) {
        await this.#journal?.append({ path, offset: this.#offset, ...entry });
      }
      await this.#write(this.#file!, bytes);
    } catch (cause) {
      // The next attempt opens it anew: what is there may be another one by then.
      this.#file?.close();
      this.#file = undefined;
      throw new Error(`Cannot write to "${path}": ${(cause as Error).message}`, { cause });
    }
  }

  /** Makes durable what was appended; goes on in a new file where the old one was moved away. */
  async sync(): Promise<void> {
    try {
      await this.#file?.syncData();
      await this.#journal?.sync();
      if (this.#file !== undefined && await inodeOf(this.#path) !== this.#inode) await this.close();
    } catch (cause) {
      throw new Error(`Cannot sync "${this.#path}": ${(cause as Error).message}`, { cause });
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await file.syncData();
    this.#file = undefined;
    file.close();
    await this.#journal?.append({
      path: this.#path,
      offset: this.#offset,
      runs: [],
      notes: new Uint32Array(0),
      closed: true,
    });
  }

  async #open(path: string): Promise<void> {
    const folder = dirname(path);
    await Deno.mkdir(folder, { recursive: true });
    const isNew = await inodeOf(path) === undefined;
    const file = await Deno.open(path, { append: true, create: true });
    try {
      if (isNew && this.#mode !== undefined) await Deno.chmod(path, this.#mode);
      const { size, ino } = await file.stat();
      this.#offset = size;
      this.#inode = ino;
      // The name of a new file is durable when its folder is.
      if (isNew) await syncFolder(folder);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    this.#path = path;
    this.#opened();
  }

  async #write(file: Deno.FsFile, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    let at = 0;
    try {
      while (at < bytes.length) at += await file.write(bytes.subarray(at));
      this.#offset += at;
    } catch (error) {
      if (at > 0) await file.truncate(this.#offset);
      throw error;
    }
  }
}

async function inodeOf(path: string): Promise<number | null | undefined> {
  try {
    return (await Deno.stat(path)).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}
