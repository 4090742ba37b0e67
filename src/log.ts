import {
  configure,
  getJsonLinesFormatter,
  getLogger,
  type LogLevel,
  type LogRecord,
  type TextFormatter,
} from "@logtape/logtape";
import { getPrettyFormatter } from "@logtape/pretty";

/** How much is logged, and how it looks. */
export interface LogSettings {
  level: LogLevel;
  /** auto: pretty on a terminal, JSON otherwise. */
  format: "auto" | "pretty" | "json";
  /** @default standard error */
  stream?: { writeSync(bytes: Uint8Array): number; isTerminal(): boolean };
}

/**
 * Sends every record below ["busbar"] to the stream: the host's own are in ["busbar", …], a plugin's in
 * ["busbar", "plugin", NAME], a cell's raw output in ["busbar", "cell"]. JSON is an object a line, with the properties
 * (`pipeline`, `plugin`, `component`, …) at its top.
 */
export async function setupLogging(settings: LogSettings): Promise<void> {
  const { level, format, stream = Deno.stderr } = settings;
  const pretty = format === "pretty" || (format === "auto" && stream.isTerminal());
  const formatter = pretty ? prettyFormatter(stream.isTerminal()) : jsonFormatter();
  await configure({
    reset: true,
    sinks: { stream: (record: LogRecord) => write(stream, formatter(record)) },
    loggers: [
      { category: ["busbar"], sinks: ["stream"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["stream"], lowestLevel: "warning" },
    ],
  });
}

/** A record whose text is not a template: what a plugin or an error says may hold braces. */
export interface TextRecord {
  text: string;
  properties: Record<string, unknown>;
  /** Milliseconds since 1970. @default now */
  timestamp?: number;
}

/** Logs text as it is. */
export function logText(category: string[], level: LogLevel, record: TextRecord): void {
  const { text, properties, timestamp = Date.now() } = record;
  getLogger(category).emit({ level, message: [text], rawMessage: text, timestamp, properties });
}

function jsonFormatter(): TextFormatter {
  return getJsonLinesFormatter({ properties: "flatten" });
}

function prettyFormatter(terminal: boolean): TextFormatter {
  return getPrettyFormatter({
    colors: terminal && Deno.env.get("NO_COLOR") === undefined,
    icons: false,
    timestamp: "time",
    wordWrap: false,
    properties: true,
  });
}

function write(stream: { writeSync(bytes: Uint8Array): number }, line: string): void {
  const bytes = new TextEncoder().encode(line);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch {
    // A log that nobody can read any more must not stop the work.
  }
}
