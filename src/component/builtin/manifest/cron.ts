import { cel, type Entry, settings } from "./fields.ts";

export const CRON: Entry = {
  kind: "source",
  name: "cron",
  description: "An event whenever a schedule says so",
  replayable: true,
  config_schema: settings({
    schedule: {
      description: "When, as five cron fields, or six with seconds first; or a list of these",
      anyOf: [
        { type: "string", minLength: 1 },
        { type: "array", items: { type: "string", minLength: 1 }, minItems: 1 },
      ],
    },
    timezone: {
      description: "The time zone that schedules are in, such as Europe/Berlin",
      type: "string",
      format: "busbar-time-zone",
      default: "UTC",
    },
    payload: {
      description: "A text that is every payload",
      type: "string",
    },
    expression: {
      ...cel("any", "Gives every payload, as JSON; not together with payload"),
      "x-cel-variables": { time: "google.protobuf.Timestamp", schedule: "string" },
    },
    catch_up: {
      description:
        "Which of the times that were missed while the source did not run are made up for",
      enum: ["none", "last", "all"],
      default: "last",
    },
  }, { required: ["schedule"], not: { required: ["payload", "expression"] } }),
};
