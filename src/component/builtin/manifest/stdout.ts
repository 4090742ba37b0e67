import { type Entry, settings } from "./fields.ts";

export const STDOUT: Entry = {
  kind: "reaction",
  name: "stdout",
  description: "Writes events to the standard output of busbar",
  config_schema: settings({
    format: {
      description: "A JSON object for each event, or its bare payload; a line each",
      enum: ["ndjson", "payload"],
      default: "ndjson",
    },
  }),
};
