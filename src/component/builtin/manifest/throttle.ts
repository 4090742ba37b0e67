import { cel, type Entry, ON_ERROR, settings } from "./fields.ts";

export const THROTTLE: Entry = {
  kind: "processor",
  name: "throttle",
  description: "Passes on at most so many events in a time",
  outputs: ["out", "limited"],
  config_schema: settings({
    events: {
      description: "How many events pass in each period",
      type: "integer",
      minimum: 1,
      maximum: 1_000_000_000,
    },
    period: {
      description: "The time in which so many pass",
      type: "string",
      format: "busbar-duration",
      default: "1s",
    },
    burst: {
      description: "How many pass at once after a quiet time; as many as events by default",
      type: "integer",
      minimum: 1,
      maximum: 1_000_000_000,
    },
    key: cel("string", "Each text has a limit of its own"),
    max_keys: {
      description: "How many keys are remembered; then the one that was quiet longest is forgotten",
      type: "integer",
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
    },
    on_error: ON_ERROR,
  }, { required: ["events"] }),
};
