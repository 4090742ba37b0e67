import type { LogLevelName } from "../../cell_log.ts";
import type { Entry } from "./fields.ts";
import { settings, SIZE } from "./settings.ts";

const LEVELS: LogLevelName[] = ["trace", "debug", "info", "warning", "error", "fatal"];

export const LOG: Entry = {
  kind: "reaction",
  name: "log",
  description: "Writes each event as a log record",
  config_schema: settings({
    level: {
      description: "Level of the records",
      enum: LEVELS,
      default: "info",
    },
    max_payload: {
      ...SIZE,
      description: "Payloads are cut to this many bytes, at most 1KiB",
      maximum: 1024,
      default: 1024,
    },
  }),
};
