import { type Entry, settings } from "./fields.ts";

export const DISCARD: Entry = {
  kind: "reaction",
  name: "discard",
  description: "Accepts every event and forgets it",
  config_schema: settings({}),
};
