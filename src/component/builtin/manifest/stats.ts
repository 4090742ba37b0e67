import { type Entry, settings } from "./fields.ts";

export const STATS: Entry = {
  kind: "reaction",
  name: "stats",
  description: "Counts events, bytes and marked events, also by a field of JSON payloads",
  config_schema: settings({
    group_by: {
      description: "Count events by the value of this field of their JSON payload",
      type: "string",
      minLength: 1,
    },
    max_groups: {
      description: 'Further values are counted together as "other"',
      type: "integer",
      minimum: 1,
      maximum: 1_000_000,
      default: 1000,
    },
    interval: {
      description: "Time between two summaries in the log; 0s logs one at the stop only",
      type: "string",
      format: "busbar-duration",
      default: "10s",
    },
    file: {
      description: "A JSON file that is kept up to date with the counts",
      type: "string",
      minLength: 1,
    },
  }),
};
