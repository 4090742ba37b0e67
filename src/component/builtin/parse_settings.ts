import { blaming, SettingError } from "../../config/setting_error.ts";
import { parseSize } from "../../config/units.ts";
import { parsePath } from "./draft.ts";
import { csvFields } from "./parse_csv.ts";
import { logfmtPairs } from "./parse_logfmt.ts";
import { syslogMessage } from "./parse_syslog.ts";
import {
  offsetOf,
  type ReadTime,
  type TimeContext,
  timeReader,
} from "../../config/time_formats.ts";
import type { TypeName } from "./parse_types.ts";
import type { OnError } from "./record_sorter.ts";

interface Settings {
  format: "json" | "logfmt" | "csv" | "syslog" | "regex";
  columns?: string[];
  delimiter: string;
  quote: string;
  skip_header: boolean;
  pattern?: string;
  field?: string;
  target?: string;
  keep?: string;
  types?: Record<string, TypeName>;
  null_values: string[];
  timestamp?: { field: string; format: string };
  time_zone: string;
  max_length: string | number;
  on_error: OnError;
}

/** What a text holds. */
export interface Parsed {
  fields: Record<string, unknown>;
  /** The event's time, where the format has one. */
  time?: bigint | undefined;
}

/** Undefined: the text is no event. Throws what is wrong with it. */
export type ReadText = (text: string, context: TimeContext) => Parsed | undefined;

/** The settings of `parse`, ready for use. */
export interface ParsePlan {
  /** Undefined for JSON. */
  read: ReadText | undefined;
  /** Whether it is JSON that nothing is changed of, which is passed on byte for byte. */
  asItIs: boolean;
  field: string[] | undefined;
  target: string[] | undefined;
  keep: string[] | undefined;
  types: [name: string, type: TypeName][];
  nulls: ReadonlySet<string>;
  timestamp: { field: string; read: ReadTime } | undefined;
  offset: number;
  maxLength: number;
  onError: OnError;
}

export function planParse(config: Record<string, unknown>): ParsePlan {
  const settings = config as unknown as Settings;
  const path = (name: "field" | "target" | "keep") => {
    const text = settings[name];
    return text === undefined ? undefined : blaming([name], () => parsePath(text));
  };
  const { timestamp, format, field, target, keep, types = {} } = settings;
  return {
    read: readerOf(settings),
    asItIs: format === "json" && field === undefined && target === undefined &&
      keep === undefined && Object.keys(types).length === 0,
    field: path("field"),
    target: path("target"),
    keep: path("keep"),
    types: Object.entries(types),
    nulls: new Set(settings.null_values),
    timestamp: timestamp === undefined
      ? undefined
      : { field: timestamp.field, read: timeReader(timestamp.format) },
    offset: offsetOf(settings.time_zone),
    maxLength: parseSize(settings.max_length),
    onError: settings.on_error,
  };
}

function readerOf(settings: Settings): ReadText | undefined {
  switch (settings.format) {
    case "json":
      return undefined;
    case "logfmt":
      return (text) => ({ fields: logfmtPairs(text) });
    case "csv":
      return csvReader(settings, settings.columns!);
    case "syslog":
      return (text, context) => syslogMessage(text, context);
    case "regex":
      return regexReader(settings.pattern!);
  }
}

function csvReader({ delimiter, quote, skip_header }: Settings, columns: string[]): ReadText {
  if (delimiter === quote) {
    throw new SettingError(["delimiter"], "Cannot read CSV whose delimiter is its quote");
  }
  return (text) => {
    const values = csvFields(text, { delimiter, quote });
    if (values.length !== columns.length) {
      throw new Error(`Cannot read CSV: expected ${columns.length} fields, found ${values.length}`);
    }
    if (skip_header && columns.every((name, i) => name === values[i])) return undefined;
    const fields = Object.create(null) as Record<string, unknown>;
    for (let i = 0; i < columns.length; i++) fields[columns[i]!] = values[i];
    return { fields };
  };
}

function regexReader(pattern: string): ReadText {
  const expression = new RegExp(pattern, "u");
  return (text) => {
    const groups = expression.exec(text)?.groups;
    if (groups === undefined) {
      throw new Error("Cannot parse the text: it does not match the pattern");
    }
    const fields = Object.create(null) as Record<string, unknown>;
    for (const name in groups) fields[name] = groups[name] ?? null;
    return { fields };
  };
}
