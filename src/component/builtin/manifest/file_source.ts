import type { ManifestComponent } from "../../../plugin/manifest.ts";
import { DURATION, settings, SIZE } from "./settings.ts";

export const FILE_SOURCE: ManifestComponent = {
  kind: "source",
  name: "file",
  description: "One event for each line of files, as they grow and are rotated",
  replayable: true,
  config_schema: settings({
    paths: {
      description: "Files, and patterns with *, ? and [...]",
      type: "array",
      items: { type: "string", minLength: 1 },
      minItems: 1,
    },
    format: {
      description: "A line of text or a line of JSON for each event",
      enum: ["lines", "ndjson"],
      default: "lines",
    },
    once: {
      description: "End at the end of all files instead of following them",
      type: "boolean",
      default: false,
    },
    from: {
      description: "Where to begin in files that were there at the start and have no position yet",
      enum: ["beginning", "end"],
      default: "beginning",
    },
    max_line: {
      ...SIZE,
      description: "Longer lines are cut to this many bytes; a size such as 1MiB, at most 64MiB",
      minimum: 1,
      default: "1MiB",
    },
    rescan: {
      ...DURATION,
      description: "How often to look for files that are new, were renamed or deleted",
      default: "1s",
    },
    grace: {
      ...DURATION,
      description:
        "How long a file that was renamed or deleted must be silent before its successor is read",
      default: "1s",
    },
    attributes: {
      description: 'Give each event the attribute "path"',
      type: "boolean",
      default: false,
    },
  }, { required: ["paths"] }),
};
