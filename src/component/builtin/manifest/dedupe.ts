import { cel, type Entry, ON_ERROR, settings } from "./fields.ts";

export const DEDUPE: Entry = {
  kind: "processor",
  name: "dedupe",
  description: "Passes on the first of events that are the same",
  outputs: ["out", "duplicates"],
  config_schema: settings({
    key: cel("string", "Events with the same text are the same"),
    window: {
      description: "How long an event is remembered after it came",
      type: "string",
      format: "busbar-duration",
      default: "5m",
    },
    max_entries: {
      description: "How many are remembered; then the oldest is forgotten",
      type: "integer",
      minimum: 1,
      maximum: 1_000_000,
      default: 100_000,
    },
    on_error: ON_ERROR,
  }, { required: ["key"] }),
};
