import { Status } from "../../../ffi/layout.ts";
import { parseSize } from "../../config/units.ts";
import type { Batch } from "../../event/batch.ts";
import { RecordReader } from "../../event/reader.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { jsonLine } from "./event_line.ts";
import { FileJournal, JournalNotes } from "./file_journal.ts";
import { FileNames } from "./file_names.ts";
import { FileOutput, type Portion } from "./file_output.ts";
import { cutBack } from "./file_recovery.ts";

/** Bytes that may wait to be written before a batch has to wait. */
const MOST_WAITING = 4 * 1024 * 1024;
const FIRST_SIZE = 256 * 1024;
const LINE_FEED = 10;
const encoder = new TextEncoder();

interface Settings {
  path: string;
  format: "lines" | "ndjson" | "raw";
  max_size?: string | number;
  mode?: string;
  exactly_once: boolean;
}

/** Appends events to files. */
export function fileReaction(context: BuiltinContext): BuiltinComponent {
  return new FileReaction(context, context.config as unknown as Settings);
}

fileReaction.check = (config: Record<string, unknown>) =>
  namesOf(config as unknown as Settings, "");

/** Where events go; `suffix` tells partitions apart. */
function namesOf({ path, max_size }: Settings, suffix: string): FileNames {
  return new FileNames(path + suffix, max_size !== undefined);
}

class FileReaction implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #format: Settings["format"];
  readonly #maxSize: number;
  readonly #names: FileNames;
  readonly #journal: FileJournal | undefined;
  readonly #output: FileOutput;
  readonly #reader = new RecordReader();
  readonly #written: (bytes: number) => void;
  /** What is being put together for the next portion. */
  #bytes = new Uint8Array(FIRST_SIZE);
  #length = 0;
  readonly #notes = new JournalNotes();
  #spare: Uint8Array<ArrayBuffer> | undefined = new Uint8Array(FIRST_SIZE);
  /** Where it goes, and how long that file will be then. */
  #timed = "";
  #number = 1;
  #path = "";
  #size = 0;
  /** Oldest first; the first one may be under way. */
  #portions: Portion[] = [];
  #waiting = 0;
  /** Resolves to whether everything that waited has been written; never rejects. */
  #draining = Promise.resolve(true);
  #writing = false;
  #failure = "";

  constructor(context: BuiltinContext, settings: Settings) {
    const { format, max_size, mode, exactly_once } = settings;
    const suffix = context.partitionCount > 1 ? `.${context.partitionIndex}` : "";
    this.#context = context;
    this.#format = format;
    this.#maxSize = max_size === undefined ? Infinity : parseSize(max_size);
    this.#names = namesOf(settings, suffix);
    this.#journal = exactly_once ? new FileJournal(context.dataDirectory) : undefined;
    this.#written = context.metrics.counter("bytes_written_total");
    this.#output = new FileOutput({
      mode: mode === undefined ? undefined : parseInt(mode, 8),
      journal: this.#journal,
      opened: context.metrics.counter("files_opened_total"),
    });
  }

  start(): void {
    const { acknowledged, dataDirectory } = this.#context;
    this.#failure = "";
    this.#path = this.#timed = "";
    if (this.#journal === undefined) return;
    const cuts = cutBack(this.#journal.read(), { acknowledged, folder: dataDirectory });
    for (const { path, events, problem } of cuts) {
      if (problem !== undefined) {
        this.#context.log("warning", "Events may come twice in a file", { path, problem });
      } else if (events > 0) {
        this.#context.log("info", "Events that come again were cut from a file", { path, events });
      }
    }
    this.#journal.open();
  }

  async stop(): Promise<void> {
    try {
      if (!await this.#drain()) throw new Error(this.#failure);
      await this.#output.close();
      await this.#journal?.sync();
    } finally {
      this.#journal?.close();
      this.#portions = [];
      this.#waiting = 0;
    }
  }

  health(): string {
    return this.#failure;
  }

  write(batch: Batch): number | Promise<number> {
    if (this.#failure !== "") return this.#retry(batch);
    if (this.#waiting >= MOST_WAITING) {
      return this.#drain().then((all) => all ? this.#take(batch) : this.#refuse(batch));
    }
    return this.#take(batch);
  }

  async flush(): Promise<number> {
    if (!await this.#drain()) {
      this.#context.explain(this.#failure);
      return Status.FAILED;
    }
    try {
      await this.#output.sync();
      return Status.OK;
    } catch (error) {
      this.#context.explain((error as Error).message);
      return Status.FAILED;
    }
  }

  async #retry(batch: Batch): Promise<number> {
    return await this.#drain() ? this.#take(batch) : this.#refuse(batch);
  }

  #refuse(batch: Batch): number {
    batch.done = 0;
    this.#context.explain(this.#failure);
    return Status.FAILED;
  }

  #take(batch: Batch): number {
    const timed = this.#names.at(Date.now());
    if (timed !== this.#timed) this.#begin(timed);
    const reader = this.#reader.open(batch);
    const { sources } = this.#context;
    while (reader.next()) {
      const before = this.#length;
      this.#put(reader);
      let bytes = this.#length - before;
      if (this.#size + bytes > this.#maxSize && this.#size > 0) {
        this.#length = before;
        this.#next();
        this.#put(reader);
        bytes = this.#length;
      }
      this.#size += bytes;
      if (this.#journal !== undefined) {
        const { source, sequence } = reader;
        this.#notes.add(source, sequence, { bytes, id: () => sources[source] ?? `${source}` });
      }
    }
    if (!this.#writing) void this.#drain();
    else if (this.#length >= MOST_WAITING) this.#close();
    if (reader.malformed === "") return Status.OK;
    batch.done = reader.index + 1;
    return Status.INVALID;
  }

  /** Goes on in the file of a time. */
  #begin(timed: string): void {
    this.#close();
    this.#timed = timed;
    this.#number = this.#names.highest(timed);
    this.#open();
  }

  /** Goes on in the file with the next number. */
  #next(): void {
    this.#close();
    this.#number++;
    this.#open();
  }

  #open(): void {
    this.#path = this.#names.path(this.#timed, this.#number);
    this.#size = sizeOf(this.#path);
    while (this.#size >= this.#maxSize) {
      this.#path = this.#names.path(this.#timed, ++this.#number);
      this.#size = sizeOf(this.#path);
    }
  }

  #put(reader: RecordReader): void {
    if (this.#format === "ndjson") {
      const line = encoder.encode(jsonLine(reader, this.#context));
      this.#makeRoom(line.length);
      this.#bytes.set(line, this.#length);
      this.#length += line.length;
      return;
    }
    const { payload } = reader;
    this.#makeRoom(payload.length + 1);
    this.#bytes.set(payload, this.#length);
    this.#length += payload.length;
    if (this.#format === "lines") this.#bytes[this.#length++] = LINE_FEED;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const longer = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    longer.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = longer;
  }

  /** Makes a portion of what was put together. */
  #close(): void {
    if (this.#length === 0) return;
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#portions.push({
      path: this.#path,
      bytes,
      ...(this.#journal === undefined ? {} : { entry: this.#notes.take() }),
    });
    this.#waiting += this.#length;
    this.#bytes = this.#spare ?? new Uint8Array(FIRST_SIZE);
    this.#spare = undefined;
    this.#length = 0;
  }

  /** Writes all that waits, also what comes meanwhile; whether that went well. */
  #drain(): Promise<boolean> {
    if (!this.#writing) this.#draining = this.#writeAll();
    return this.#draining;
  }

  async #writeAll(): Promise<boolean> {
    this.#writing = true;
    try {
      for (;;) {
        if (this.#portions.length === 0) this.#close();
        const [portion] = this.#portions;
        if (portion === undefined) break;
        await this.#output.append(portion);
        this.#portions.shift();
        this.#waiting -= portion.bytes.length;
        this.#written(portion.bytes.length);
        const { buffer } = portion.bytes;
        if (buffer.byteLength <= 2 * MOST_WAITING) this.#spare ??= new Uint8Array(buffer);
      }
      this.#failure = "";
      return true;
    } catch (error) {
      this.#failure = (error as Error).message;
      return false;
    } finally {
      this.#writing = false;
    }
  }
}

/** 0 also where it cannot be looked at: opening it says why. */
function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}
