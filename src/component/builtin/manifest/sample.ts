import { cel, type Entry, ON_ERROR, settings } from "./fields.ts";

export const SAMPLE: Entry = {
  kind: "processor",
  name: "sample",
  description: "Passes on a part of the events",
  outputs: ["out", "rejected"],
  config_schema: settings({
    every: {
      description: "Pass on the first of every so many events",
      type: "integer",
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
    },
    probability: {
      description: "Pass on this part of the events, from 0 to 1",
      type: "number",
      minimum: 0,
      maximum: 1,
    },
    key: cel("string", "With probability: events with the same text are passed on all or none"),
    seed: {
      description: "With probability: another number makes another choice",
      type: "integer",
      minimum: 0,
      maximum: 0xffffffff,
      default: 0,
    },
    on_error: ON_ERROR,
  }, {
    if: { not: { required: ["probability"] } },
    then: { required: ["every"] },
    dependentRequired: { key: ["probability"] },
  }),
};
