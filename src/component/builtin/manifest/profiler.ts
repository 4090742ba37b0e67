import { type Entry, settings } from "./fields.ts";

export const PROFILER: Entry = {
  kind: "reaction",
  name: "profiler",
  description: "Measures how long events take through the pipeline",
  config_schema: settings({
    interval: {
      description: "Time between two summaries in the log; 0s logs one at the stop only",
      type: "string",
      format: "busbar-duration",
      default: "10s",
    },
    file: {
      description: "A JSON file that is kept up to date with the percentiles",
      type: "string",
      minLength: 1,
    },
  }),
};
