import type { ManifestComponent } from "../../../plugin/manifest.ts";
import { settings, SIZE } from "./settings.ts";

export const HTTP_SOURCE: ManifestComponent = {
  kind: "source",
  name: "http",
  description: "Events from requests, by a route of http: webhooks, NDJSON and JSON arrays",
  config_schema: settings({
    format: {
      description: "What a body holds: one event, a line for each, or a JSON array of them; " +
        "auto is ndjson where the content type says so, and event otherwise",
      enum: ["auto", "event", "ndjson", "array"],
      default: "auto",
    },
    headers: {
      description: "Headers that become attributes of the events",
      type: "array",
      items: { type: "string", minLength: 1 },
      default: [],
    },
    key_header: { description: "Header that is the events' key", type: "string", minLength: 1 },
    key_pointer: {
      description: "JSON pointer to each event's key, such as /user/id",
      type: "string",
      format: "busbar-json-pointer",
    },
    operation: {
      description: "Operation of the events",
      enum: ["message", "insert", "update", "delete"],
      default: "message",
    },
    queue: {
      ...SIZE,
      description: "Bytes of requests that may wait for the pipeline; a size such as 16MiB",
      minimum: 1,
      default: "16MiB",
    },
  }),
};
