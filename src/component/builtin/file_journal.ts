import { join } from "node:path";
import { checksum } from "../../store/checksum.ts";

/** A part of the journal is begun anew when it is longer; the one before it is kept. */
const PART = 16 * 1024 * 1024;
const HEAD = 12;
const FIRST_NOTES = 16 * 1024;

/** Which events lie one after the other in a file. */
export interface JournalEntry {
  path: string;
  /** Byte of the file where they begin. */
  offset: number;
  /** Runs of events of one source: its id, number of events, and what is added to each of their numbers. */
  runs: [source: string, count: number, base: number][];
  /** Pairs: sequence, less the base of its run, and bytes. */
  notes: Uint32Array;
  /** Nothing was written behind it by this component. */
  closed?: boolean;
}

/** Notes events one after the other, for the next entry of a journal. */
export class JournalNotes {
  #notes = new Uint32Array(FIRST_NOTES);
  #length = 0;
  #runs: JournalEntry["runs"] = [];
  #source = -1;
  #base = 0;

  /** @param id the source's, which is looked up when it is another one than before */
  add(source: number, sequence: number, { bytes, id }: { bytes: number; id: () => string }): void {
    const above = sequence - this.#base;
    if (source !== this.#source || above < 0 || above >= 2 ** 32) {
      this.#source = source;
      this.#base = sequence;
      this.#runs.push([id(), 0, sequence]);
    }
    this.#runs.at(-1)![1]++;
    if (this.#length + 2 > this.#notes.length) {
      const longer = new Uint32Array(this.#notes.length * 2);
      longer.set(this.#notes);
      this.#notes = longer;
    }
    this.#notes[this.#length++] = sequence - this.#base;
    this.#notes[this.#length++] = bytes;
  }

  /** What was noted, and begins anew. */
  take(): Pick<JournalEntry, "runs" | "notes"> {
    const runs = this.#runs;
    const notes = this.#notes.slice(0, this.#length);
    this.#runs = [];
    this.#length = 0;
    this.#source = -1;
    return { runs, notes };
  }
}

/** Says which events lie where in files, so that after a crash those can be cut off that come again. */
export class FileJournal {
  readonly #current: string;
  readonly #old: string;
  #file: Deno.FsFile | undefined;
  #length = 0;

  constructor(folder: string) {
    this.#current = join(folder, "journal");
    this.#old = join(folder, "journal.old");
  }

  /** All whole entries, oldest first. */
  read(): JournalEntry[] {
    return [this.#old, this.#current].flatMap((path) => entriesOf(bytesOf(path)));
  }

  /** Begins with an empty journal. */
  open(): void {
    this.close();
    removeFile(this.#old);
    this.#file = Deno.openSync(this.#current, { write: true, create: true, truncate: true });
    this.#length = 0;
  }

  async append({ notes, ...head }: JournalEntry): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(head));
    const pairs = new Uint8Array(notes.buffer, notes.byteOffset, notes.byteLength);
    const bytes = new Uint8Array(HEAD + text.length + pairs.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, text.length, true);
    view.setUint32(4, pairs.length, true);
    view.setUint32(8, checksum(text, pairs), true);
    bytes.set(text, HEAD);
    bytes.set(pairs, HEAD + text.length);
    const file = this.#file!;
    try {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      this.#length += bytes.length;
    } catch (error) {
      // What follows half an entry could not be read.
      await file.truncate(this.#length);
      await file.seek(this.#length, Deno.SeekMode.Start);
      throw error;
    }
  }

  /** Makes it durable. */
  async sync(): Promise<void> {
    await this.#file!.syncData();
    if (this.#length < PART) return;
    await Deno.rename(this.#current, this.#old);
    this.#file!.close();
    this.#file = await Deno.open(this.#current, { write: true, create: true, truncate: true });
    this.#length = 0;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

function entriesOf(bytes: Uint8Array<ArrayBuffer>): JournalEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: JournalEntry[] = [];
  for (let at = 0; at + HEAD <= bytes.length;) {
    const textEnd = at + HEAD + view.getUint32(at, true);
    const end = textEnd + view.getUint32(at + 4, true);
    if (end > bytes.length) break;
    const text = bytes.subarray(at + HEAD, textEnd);
    const pairs = bytes.subarray(textEnd, end);
    // The end of it may be what a crash left.
    if (checksum(text, pairs) !== view.getUint32(at + 8, true)) break;
    const notes = new Uint32Array(pairs.slice().buffer);
    entries.push({ ...JSON.parse(new TextDecoder().decode(text)), notes });
    at = end;
  }
  return entries;
}

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array(0);
    throw error;
  }
}

function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
