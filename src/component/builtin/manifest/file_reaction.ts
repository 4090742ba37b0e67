import type { ManifestComponent } from "../../../plugin/manifest.ts";
import { settings, SIZE } from "./settings.ts";

export const FILE_REACTION: ManifestComponent = {
  kind: "reaction",
  name: "file",
  description: "Appends events to files, each event once",
  config_schema: settings({
    path: {
      description: "The file; %Y %m %d %H %M %S are the time in UTC, %i a number",
      type: "string",
      minLength: 1,
    },
    format: {
      description: "A payload a line, a JSON object for each event a line, or payloads end to end",
      enum: ["lines", "ndjson", "raw"],
      default: "lines",
    },
    max_size: {
      ...SIZE,
      description: "A file that would be longer is followed by the one with the next number",
      minimum: 1,
    },
    mode: {
      description: "Permissions of new files in octal digits, such as 0640",
      type: "string",
      pattern: "^0?[0-7]{3}$",
    },
    exactly_once: {
      description: "After a crash, cut from the files the events that come again",
      type: "boolean",
      default: true,
    },
  }, { required: ["path"] }),
};
