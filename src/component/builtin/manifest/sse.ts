import { type Entry, settings } from "./fields.ts";
import { DURATION, SIZE } from "./settings.ts";

export const SSE: Entry = {
  kind: "reaction",
  name: "sse",
  description: "Shows events to browsers as they come, as server-sent events",
  config_schema: settings({
    listen: {
      description: "Address and port, such as 127.0.0.1:7780",
      type: "string",
      pattern: "^(\\[[0-9a-fA-F:]+\\]|[^:\\[\\]/\\s]+):\\d{1,5}$",
    },
    path: {
      description: "The path that events are at; all others are not found",
      type: "string",
      pattern: "^/",
      default: "/events",
    },
    format: {
      description: "What the data of an event is: a JSON object, or the bare payload",
      enum: ["ndjson", "payload"],
      default: "ndjson",
    },
    event: {
      description: "The event type, for addEventListener(); without it, onmessage",
      type: "string",
      pattern: "^[^\\r\\n]+$",
    },
    history: {
      description: "Events that are kept for those who come later",
      type: "integer",
      minimum: 0,
      maximum: 1_000_000,
      default: 1000,
    },
    history_bytes: {
      ...SIZE,
      description: "Bytes of events that are kept at most",
      default: "16MiB",
    },
    heartbeat: {
      ...DURATION,
      description: "Time between two comments that keep connections open; 0s: none",
      default: "15s",
    },
    max_clients: {
      description: "Clients at once; others get status 503",
      type: "integer",
      minimum: 1,
      maximum: 100_000,
      default: 1000,
    },
    max_backlog: {
      ...SIZE,
      description: "A client that has not taken so many bytes is dropped",
      minimum: 1,
      default: "1MiB",
    },
    cors_origin: {
      description: "The origin whose pages may read, or *",
      type: "string",
      pattern: "^(\\*|https?://[^/\\s]+)$",
    },
  }, { required: ["listen"] }),
};
