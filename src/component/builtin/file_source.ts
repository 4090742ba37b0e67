import { ContentType, Status } from "../../../ffi/layout.ts";
import { blaming } from "../../config/setting_error.ts";
import { parseDuration } from "../../config/units.ts";
import { attributeBytes } from "../../event/attributes.ts";
import type { Batch } from "../../event/batch.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { decodePosition } from "./file_position.ts";
import type { FollowedFile } from "./followed_file.ts";
import { FollowedFiles } from "./followed_files.ts";
import { LineCutter } from "./line_cutter.ts";
import { checkPattern } from "./path_patterns.ts";
import { lineLimit } from "./settings.ts";

/** Bytes that are read of a file before it is the next one's turn. */
const TURN = 1024 * 1024;
/** Between two looks at the lengths of all files, in ms. */
const LOOK_MS = 20;
const NO_BYTES = new Uint8Array(0);

interface Settings {
  paths: string[];
  format: "lines" | "ndjson";
  once: boolean;
  from: "beginning" | "end";
  max_line: string | number;
  rescan: string;
  grace: string;
  attributes: boolean;
}

/** Events from the lines of files. */
export function fileSource(context: BuiltinContext): BuiltinComponent {
  return new FileSource(context, context.config as unknown as Settings);
}

fileSource.check = (config: Record<string, unknown>) => {
  const { paths, max_line } = config as unknown as Settings;
  lineLimit(max_line);
  for (const [i, path] of paths.entries()) blaming(["paths", i], () => checkPattern(path));
};

class FileSource implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #settings: Settings;
  readonly #rescan: number;
  readonly #files: FollowedFiles;
  readonly #cutter: LineCutter;
  readonly #countTruncated: (add?: number) => void;
  readonly #showOpen: (value: number) => void;
  /** The file whose bytes the cutter has, from `#base` on, and where to read on. */
  #loaded: FollowedFile | undefined;
  #base = 0;
  #readAt = 0;
  #used = 0;
  #lookAt = 0;
  #scanAt = 0;
  #truncated = 0;
  #told = "";

  constructor(context: BuiltinContext, settings: Settings) {
    this.#context = context;
    this.#settings = settings;
    this.#rescan = parseDuration(settings.rescan);
    this.#files = new FollowedFiles(settings.paths, { grace: parseDuration(settings.grace) });
    const ndjson = settings.format === "ndjson";
    this.#cutter = new LineCutter({
      maxLine: lineLimit(settings.max_line),
      skipEmpty: ndjson,
      event: { payload: NO_BYTES, contentType: ndjson ? ContentType.JSON : ContentType.TEXT },
    });
    this.#countTruncated = context.metrics.counter("lines_truncated_total");
    this.#showOpen = context.metrics.gauge("files_open");
  }

  start(): void {
    const position = decodePosition(this.#context.position);
    const now = performance.now();
    const fromEnd = this.#settings.from === "end";
    this.#files.begin(position, { fromEnd, now });
    this.#used = position.used;
    this.#loaded = undefined;
    this.#lookAt = 0;
    this.#scanAt = now + this.#rescan;
    this.#tell();
  }

  stop(): void {
    this.#files.close();
    this.#loaded = undefined;
  }

  health(): string {
    return [...this.#files.problems].map(([path, problem]) => `"${path}" ${problem}`).join("; ");
  }

  poll(batch: Batch): number {
    const had = batch.count;
    const status = this.#tryToFill(batch);
    const { truncated } = this.#cutter;
    if (truncated > this.#truncated) {
      this.#countTruncated(truncated - this.#truncated);
      this.#truncated = truncated;
    }
    if (batch.count > had) batch.setPosition(this.#files.position(this.#used));
    return status;
  }

  #tryToFill(batch: Batch): number {
    try {
      return this.#fill(batch);
    } catch (error) {
      this.#context.explain(`Cannot read a file: ${(error as Error).message}`);
      return Status.FAILED;
    }
  }

  #fill(batch: Batch): number {
    for (;;) {
      const now = performance.now();
      const file = this.#files.next(now) ?? this.#lookForMore(now);
      if (file === undefined) return this.#atEnd(batch, now);
      if (!this.#readFrom(file, batch)) return Status.OK;
    }
  }

  /** Looks at most so often whether files have grown or appeared. */
  #lookForMore(now: number): FollowedFile | undefined {
    const thorough = now >= this.#scanAt;
    if (thorough) {
      this.#scanAt = now + this.#rescan;
      this.#files.scan({ fromEnd: false, now });
      this.#tell();
    } else if (now < this.#lookAt) return undefined;
    this.#lookAt = now + LOOK_MS;
    this.#files.look(now, { thorough });
    this.#showOpen(this.#files.openCount);
    return this.#files.next(now);
  }

  /** Nothing is left for now: what to do with lines that have no end. */
  #atEnd(batch: Batch, now: number): number {
    const { once } = this.#settings;
    const ended = once
      ? this.#files.files.filter((file) => file.isOpen && file.offset < file.size)
      : this.#files.ended(now);
    for (const file of ended) {
      this.#load(file);
      if (this.#readOn(file, batch) && this.#cutter.cutLast(batch)) this.#noteOffset(file);
      else return Status.OK;
    }
    const waits = this.#files.files.some((file) => file.isOpen && file.hasMore);
    return once && !waits ? Status.DONE : Status.AGAIN;
  }

  /** Gives lines of a file until its end or that of its turn; false when one did not fit. */
  #readFrom(file: FollowedFile, batch: Batch): boolean {
    if (!file.isSame) file.beginAnew();
    if (this.#loaded !== file) this.#load(file);
    const before = file.offset;
    const all = this.#readOn(file, batch);
    this.#used += file.offset - before;
    if (!all) return false;
    // Its end was reached, or its turn is over.
    this.#used = 0;
    this.#files.passOn();
    return true;
  }

  #load(file: FollowedFile): void {
    this.#loaded = file;
    this.#base = this.#readAt = file.offset;
    this.#cutter.begin(file.withinLine);
    if (this.#settings.attributes) {
      this.#cutter.event.attributes = attributeBytes([["path", file.path]]);
    }
  }

  #readOn(file: FollowedFile, batch: Batch): boolean {
    const cutter = this.#cutter;
    // It was written anew: what was read of it is no longer there.
    if (file.offset !== this.#base + cutter.passed) this.#load(file);
    const until = file.offset + TURN - this.#used;
    for (;;) {
      const all = cutter.cut(batch, until - this.#base);
      this.#noteOffset(file);
      if (!all) return false;
      if (file.offset >= until) return true;
      const length = file.read(cutter.room()!, this.#readAt);
      if (length === 0) {
        file.seen = this.#readAt;
        return true;
      }
      cutter.added(length);
      this.#readAt += length;
      file.size = Math.max(file.size, this.#readAt);
    }
  }

  #noteOffset(file: FollowedFile): void {
    file.offset = this.#base + this.#cutter.passed;
    file.withinLine = this.#cutter.withinLine;
  }

  /** Logs what is wrong when that has changed. */
  #tell(): void {
    const problems = this.health();
    if (problems === this.#told) return;
    this.#told = problems;
    if (problems !== "") this.#context.log("warning", "Some paths are not read", { problems });
  }
}
