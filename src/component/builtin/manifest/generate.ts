import type { Entry } from "./fields.ts";
import { settings, SIZE } from "./settings.ts";

export const GENERATE: Entry = {
  kind: "source",
  name: "generate",
  description: "Makes events, the same ones for the same settings",
  replayable: true,
  partitioned: true,
  config_schema: settings({
    rate: {
      description: "Events a second, such as 100/s; as many as the pipeline takes by default",
      type: ["string", "number"],
      format: "busbar-rate",
      exclusiveMinimum: 0,
    },
    count: {
      description: "The source ends after so many events; never by default",
      type: "integer",
      minimum: 0,
    },
    payload_size: {
      ...SIZE,
      description: "Bytes of each payload, a size such as 1KiB",
      default: 64,
    },
    seed: {
      description: "Another number makes other payloads",
      type: "integer",
      minimum: 0,
      maximum: 0xffffffff,
      default: 0,
    },
    json: {
      description: "Make each payload a JSON object",
      type: "boolean",
      default: false,
    },
    payload: {
      description: "A text that is every payload, instead of made ones",
      type: "string",
    },
  }, { if: { required: ["payload"] }, then: { properties: { json: { const: false } } } }),
};
