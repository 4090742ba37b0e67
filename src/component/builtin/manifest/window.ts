import { cel, type Entry, ON_ERROR, settings } from "./fields.ts";
import { DURATION } from "./settings.ts";

/** What an aggregate's expression gives, and the type of the aggregate in `having`. */
const FUNCTIONS = {
  // YAML's own true is what people write for "all".
  count: { ...cel("bool", "Counts the events that it is true for"), type: ["string", "boolean"] },
  sum: cel("number", "Adds up"),
  avg: cel("number", "The mean"),
  min: cel("number", "The least"),
  max: cel("number", "The most"),
  percentile: cel("number", "The percentile p, at most 0.5 % off"),
  first: cel("any", "The value of the event with the earliest time"),
  last: cel("any", "The value of the event with the latest time"),
  distinct: cel("any", "Counts different values"),
  collect: cel("any", "A list of the values"),
};

const TYPES = {
  count: "int",
  distinct: "int",
  sum: "double",
  avg: "double",
  min: "double",
  max: "double",
  percentile: "double",
  first: "dyn",
  last: "dyn",
  collect: "list<dyn>",
};

/** Names that CEL or the event have another use for. */
const RESERVED =
  "window|key|start|end|final|truncated|in|true|false|null|as|break|const|continue|" +
  "else|for|function|if|import|let|loop|package|namespace|return|var|void|while|math|cel|google|" +
  "int|uint|double|bool|string|bytes|list|map|type|null_type|dyn|optional|optional_type";

const NAME = `^(?!(?:${RESERVED})$)[A-Za-z][A-Za-z0-9_]{0,62}$`;

export const WINDOW: Entry = {
  kind: "processor",
  name: "window",
  description: "Makes one event of all that lie in a window of time, for each key",
  outputs: ["out", "late"],
  tick_ms: 100,
  config_schema: settings({
    size: { ...DURATION, description: "How long a window is" },
    slide: {
      ...DURATION,
      description: "Time from the beginning of a window to that of the next; size by default",
    },
    time: {
      description: "Whether an event's own time says which window it is in, or when it arrives",
      enum: ["event", "processing"],
      default: "event",
    },
    timestamp: cel("timestamp", "The event's time; the one that it carries by default"),
    lateness: {
      ...DURATION,
      description: "How much earlier than the latest so far an event may be and still be counted",
      default: "0s",
    },
    idle_timeout: {
      ...DURATION,
      description: "A source that is quiet for so long holds no window open; 0s: it does",
      default: "30s",
    },
    max_ahead: {
      ...DURATION,
      description:
        "An event whose time is further ahead of the clock is a failure; none by default",
    },
    key: cel("string", "Each text has windows of its own"),
    aggregates: {
      description:
        "What is made of a window's events: names, each with a function and its expression",
      type: "object",
      minProperties: 1,
      maxProperties: 64,
      propertyNames: {
        pattern: NAME,
        description:
          "a letter, then letters, digits and _, at most 63 in all, and no name of CEL, such as a type's",
      },
      additionalProperties: {
        type: "object",
        additionalProperties: false,
        properties: {
          ...FUNCTIONS,
          p: {
            description: "Of a percentile: which",
            type: "number",
            minimum: 0,
            maximum: 100,
          },
          limit: {
            description: "Of distinct and collect: values that are kept at most",
            type: "integer",
            minimum: 1,
            maximum: 1_000_000,
          },
        },
        oneOf: Object.keys(FUNCTIONS).map((name) => ({ required: [name] })),
        dependentRequired: { percentile: ["p"], p: ["percentile"] },
      },
      default: { count: { count: true } },
    },
    having: {
      ...cel(
        "bool",
        "Windows for which it is true are emitted; names the aggregates, key, start, end",
      ),
      "x-cel-variables": {
        key: "string",
        start: "google.protobuf.Timestamp",
        end: "google.protobuf.Timestamp",
      },
      "x-cel-variables-of": { setting: "aggregates", names: NAME, types: TYPES },
    },
    emit_every: {
      ...DURATION,
      description: "Time between two results of a window that is still open; 0s: none",
      default: "0s",
    },
    emit_on_stop: {
      description: "Whether open windows give their results so far when the pipeline stops",
      type: "boolean",
      default: false,
    },
    max_windows: {
      description: "How many windows may be open, those of each key counted",
      type: "integer",
      minimum: 1,
      maximum: 10_000_000,
      default: 100_000,
    },
    when_full: {
      description:
        "What becomes of an event that would open one more: it is refused, dropped, or " +
        "the oldest windows are closed",
      enum: ["dead_letter", "drop", "close_oldest"],
      default: "dead_letter",
    },
    on_error: ON_ERROR,
  }, { required: ["size"] }),
};
