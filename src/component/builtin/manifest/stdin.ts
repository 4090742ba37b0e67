import type { ManifestComponent } from "../../../plugin/manifest.ts";
import { settings, SIZE } from "./settings.ts";

export const STDIN: ManifestComponent = {
  kind: "source",
  name: "stdin",
  description: "Events from the standard input of busbar, until it ends",
  config_schema: settings({
    format: {
      description: "A line of text or a line of JSON for each event, or bytes as they come",
      enum: ["lines", "ndjson", "raw"],
      default: "lines",
    },
    max_line: {
      ...SIZE,
      description: "Longer lines are cut to this many bytes; a size such as 1MiB, at most 64MiB",
      minimum: 1,
      default: "1MiB",
    },
    chunk_size: {
      ...SIZE,
      description: "With format raw: an event has at most so many bytes",
      minimum: 1,
      default: "64KiB",
    },
  }),
};
