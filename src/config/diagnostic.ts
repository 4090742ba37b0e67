/** One finding about the configuration. Plain JSON. */
export interface Diagnostic {
  severity: "error" | "warning";
  /** The file, or the variable or flag that holds the value (`BUSBAR_SERVER__PORT`, `--set a.b`). */
  file: string;
  /** 1-based; absent where the value does not come from a file. */
  line?: number;
  /** 1-based, in UTF-16 units; absent where the value does not come from a file. */
  column?: number;
  /** Dotted, such as `pipelines.web.sources.access.config.paths[0]`; empty for the whole file. */
  path: string;
  message: string;
  /** A phrase that helps on, such as `did you mean "port"?`. */
  suggestion?: string;
  /** The line of the file, and how many characters from `column` on are meant. */
  snippet?: { text: string; length: number };
}

/** Thrown when a configuration cannot be used. Holds everything that was found, warnings too. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly diagnostics: readonly Diagnostic[];

  constructor(file: string, diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter((found) => found.severity === "error");
    const first = errors[0];
    const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
    super(
      `Cannot use configuration "${file}": ${count}` + (first ? `, first ${headline(first)}` : ""),
    );
    this.diagnostics = diagnostics;
  }
}

/** Whether any of the diagnostics is an error. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((found) => found.severity === "error");
}

/** Sorts by position in the file; what has no position comes last, in the order found. */
export function sortDiagnostics(diagnostics: Diagnostic[]): Diagnostic[] {
  const line = (found: Diagnostic) => found.line ?? Number.MAX_SAFE_INTEGER;
  return diagnostics.sort((a, b) => line(a) - line(b) || (a.column ?? 0) - (b.column ?? 0));
}

const COLOURS = { red: 31, yellow: 33, cyan: 36, bold: 1 } as const;
const WIDEST_LINE = 160;

/**
 * Prints a diagnostic as compilers do: place, severity and message, then the line with carets under
 * what is meant, then the suggestion. Several lines, without a newline at the end.
 */
export function formatDiagnostic(
  diagnostic: Diagnostic,
  { colour = false }: { colour?: boolean } = {},
): string {
  const paint = (text: string, name: keyof typeof COLOURS) =>
    colour ? `\x1b[${COLOURS[name]}m${text}\x1b[0m` : text;
  const tone = diagnostic.severity === "error" ? "red" : "yellow";
  const lines = [
    `${paint(placeOf(diagnostic), "bold")}: ${paint(diagnostic.severity, tone)}: ` +
    printable(diagnostic.message),
  ];
  const { line, column, snippet } = diagnostic;
  if (line !== undefined && column !== undefined && snippet !== undefined) {
    const gutter = `${line}`.padStart(5);
    const { text, indent, length } = window(snippet, column - 1);
    lines.push(`${gutter} | ${text}`);
    lines.push(
      `${" ".repeat(gutter.length)} | ${" ".repeat(indent)}${paint("^".repeat(length), tone)}`,
    );
  }
  if (diagnostic.suggestion !== undefined) {
    lines.push(`  ${paint(printable(diagnostic.suggestion), "cyan")}`);
  }
  return lines.join("\n");
}

function placeOf({ file, line, column }: Diagnostic): string {
  return line === undefined ? file : `${file}:${line}:${column ?? 1}`;
}

function headline(diagnostic: Diagnostic): string {
  return `${placeOf(diagnostic)}: ${printable(diagnostic.message)}`;
}

/** The part of a long line around the start of what is meant. */
function window(snippet: { text: string; length: number }, start: number) {
  const from = start > WIDEST_LINE - 40 ? start - 40 : 0;
  const text = printable(snippet.text.slice(from, from + WIDEST_LINE)).trimEnd();
  const indent = start - from;
  return { text, indent, length: Math.max(1, Math.min(snippet.length, text.length - indent)) };
}

/** One column per character, and nothing that steers a terminal. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\t\r\n]/g, " ").replace(/[\x00-\x1f\x7f-\x9f]/g, "\u00b7");
}
