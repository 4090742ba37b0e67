import { type Entry, ON_ERROR, PATH, settings } from "./fields.ts";
import { SIZE } from "./settings.ts";

/** One character, of those that are one unit of UTF-16. */
const CHARACTER = { type: "string", pattern: "^[^\\r\\n\\u{10000}-\\u{10ffff}]$" };

function needs(format: string, name: string): Record<string, unknown> {
  return {
    if: { properties: { format: { const: format } }, required: ["format"] },
    then: { required: [name] },
  };
}

export const PARSE: Entry = {
  kind: "processor",
  name: "parse",
  description: "Makes JSON of lines in JSON, logfmt, CSV, syslog or a pattern",
  config_schema: settings({
    format: {
      description: "What the text is",
      enum: ["json", "logfmt", "csv", "syslog", "regex"],
    },
    columns: {
      description: "Of CSV: names of the fields",
      type: "array",
      items: { type: "string", minLength: 1 },
      minItems: 1,
      uniqueItems: true,
    },
    delimiter: { ...CHARACTER, description: "Of CSV: what stands between fields", default: "," },
    quote: { ...CHARACTER, description: "Of CSV: what stands around fields", default: '"' },
    skip_header: {
      description: "Of CSV: a line that holds the names of the columns goes nowhere",
      type: "boolean",
      default: true,
    },
    pattern: {
      description: "A regular expression of JavaScript; its named groups become members",
      type: "string",
      format: "busbar-named-groups",
      minLength: 1,
    },
    field: {
      description: "The member of a JSON payload that is the text; the whole payload by default",
      type: "string",
      pattern: PATH,
    },
    target: {
      description: "The member that the result is put at; it is the whole payload by default",
      type: "string",
      pattern: PATH,
    },
    keep: {
      description: "The member that the text as it was is put at; nowhere by default",
      type: "string",
      pattern: PATH,
    },
    types: {
      description: "Types of members of the result",
      type: "object",
      additionalProperties: { enum: ["int", "float", "bool", "json", "text"] },
    },
    null_values: {
      description: "Texts that stand for nothing, where another type than text is set",
      type: "array",
      items: { type: "string" },
      default: ["", "-"],
    },
    timestamp: {
      description: "The member of the result that is the event's time",
      type: "object",
      additionalProperties: false,
      required: ["field"],
      properties: {
        field: { description: "Its name", type: "string", minLength: 1 },
        format: {
          description:
            "iso8601, epoch_s, epoch_ms, epoch_us, epoch_ns, clf, or a pattern such as " +
            "%Y-%m-%d %H:%M:%S",
          type: "string",
          format: "busbar-time-format",
          default: "iso8601",
        },
      },
    },
    time_zone: {
      description: "Of times that do not say: UTC, or an offset such as +02:00",
      type: "string",
      pattern: "^(UTC|[+-]([01]\\d|2[0-3]):[0-5]\\d)$",
      default: "UTC",
    },
    max_length: {
      ...SIZE,
      description: "Longer texts are not parsed",
      minimum: 1,
      default: "1MiB",
    },
    on_error: {
      ...ON_ERROR,
      description: "What becomes of an event that cannot be parsed: it is given to on_failure, " +
        "passed on as marked, or dropped",
    },
  }, {
    required: ["format"],
    allOf: [needs("csv", "columns"), needs("regex", "pattern")],
  }),
};
