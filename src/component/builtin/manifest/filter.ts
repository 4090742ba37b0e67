import { cel, type Entry, ON_ERROR, settings } from "./fields.ts";

export const FILTER: Entry = {
  kind: "processor",
  name: "filter",
  description: "Passes on the events that a condition holds for",
  outputs: ["out", "rejected"],
  config_schema: settings({
    where: cel("bool", 'Events for which it is true go to "out", the others to "rejected"'),
    on_error: ON_ERROR,
  }, { required: ["where"] }),
};
