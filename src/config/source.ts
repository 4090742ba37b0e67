import { LineCounter } from "yaml";
import type { Diagnostic } from "./diagnostic.ts";
import { scalarOffsets } from "./scalar_offsets.ts";

/** Keys and indexes from the root of the configuration to a value. */
export type Path = readonly (string | number)[];

/** Offsets into the text: first, and one past the last. */
export type Range = readonly [start: number, end: number];

/** Where a value comes from. */
export interface Place {
  /** The key in front of the value; absent in a list. */
  key?: Range;
  /** The value itself; absent for what an override put there. */
  value?: Range;
  /** The variable or flag that set the value, if none of the file did. */
  origin?: string;
  /** The value is text that was put in, so it may stand for a number or a boolean. */
  loose?: boolean;
  /** The value was already reported; what follows from it is noise. */
  faulty?: boolean;
}

export interface DiagnosticOptions {
  suggestion?: string | undefined;
  severity?: Diagnostic["severity"];
  /** Point at the key or at the value. @default "value" */
  at?: "key" | "value";
}

/** Prints a path the way messages name it: `plugins.directories[0]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** Remembers where each value of the configuration stands, so that later checks can point there. */
export class ConfigSource {
  /** The file's name as messages show it. */
  readonly file: string;
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #places = new Map<string, Place>();

  constructor(file: string, text: string) {
    this.file = file;
    this.#text = text;
    this.#lines.addNewLine(0);
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
      this.#lines.addNewLine(at + 1);
    }
  }

  /** Whether the file or an override gives a value at this path (defaults do not count). */
  has(path: Path): boolean {
    return this.#places.has(id(path));
  }

  /** Where the value at exactly this path comes from. */
  place(path: Path): Place | undefined {
    return this.#places.get(id(path));
  }

  /** Notes where a value comes from; the newest note holds. */
  record(path: Path, place: Place): void {
    this.#places.set(id(path), place);
  }

  /** A diagnostic that points at the value at `path`, or else at the nearest thing around it. */
  diagnostic(path: Path, message: string, options: DiagnosticOptions = {}): Diagnostic {
    let place = this.place(path);
    let at = options.at ?? "value";
    for (let length = path.length - 1; place === undefined && length >= 0; length--) {
      place = this.place(path.slice(0, length));
      at = "key";
    }
    const range = (at === "key" ? place?.key : undefined) ?? place?.value ?? place?.key;
    const found = this.#build(message, { ...options, path });
    if (place?.origin !== undefined) return { ...found, file: place.origin };
    return range === undefined ? found : { ...found, ...this.#locate(range) };
  }

  /**
   * A diagnostic about a part of a text: from `start` to before `end` of the value at `path`. Points at the whole value
   * where the file does not hold that text as it is.
   */
  diagnosticIn(
    path: Path,
    part: { text: string; start: number; end: number },
    { message, ...options }: DiagnosticOptions & { message: string },
  ): Diagnostic {
    const found = this.diagnostic(path, message, options);
    const place = this.place(path);
    if (place?.value === undefined || place.origin !== undefined) return found;
    const [from, to] = place.value;
    const offsets = scalarOffsets(this.#text.slice(from, to), part.text);
    const start = offsets?.[part.start];
    if (offsets === undefined || start === undefined) return found;
    const last = offsets[Math.max(part.start, part.end - 1)] ?? start;
    return { ...found, ...this.#locate([from + start, from + last + 1]) };
  }

  /** A diagnostic about a piece of the text itself. */
  diagnosticAt(range: Range, message: string, options: DiagnosticOptions = {}): Diagnostic {
    return { ...this.#build(message, { ...options, path: [] }), ...this.#locate(range) };
  }

  /** The 1-based line on which an offset lies. */
  lineOf(offset: number): number {
    return this.#lines.linePos(offset).line;
  }

  #build(message: string, options: DiagnosticOptions & { path: Path }): Diagnostic {
    return {
      severity: options.severity ?? "error",
      file: this.file,
      path: formatPath(options.path),
      message,
      ...(options.suggestion === undefined ? {} : { suggestion: options.suggestion }),
    };
  }

  #locate([start, end]: Range): Pick<Diagnostic, "line" | "column" | "snippet"> {
    const { line, col } = this.#lines.linePos(Math.min(start, this.#text.length));
    const from = this.#lines.lineStarts[line - 1] ?? 0;
    const next = this.#text.indexOf("\n", from);
    const text = this.#text.slice(from, next < 0 ? undefined : next).trimEnd();
    const length = Math.max(1, Math.min(end - start, text.length - (col - 1)));
    return { line, column: col, snippet: { text, length } };
  }
}

function id(path: Path): string {
  return path.join("\0");
}
