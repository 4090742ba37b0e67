import { cel, type Entry, settings } from "./fields.ts";
import { DURATION, SIZE } from "./settings.ts";

export const HTTP_REACTION: Entry = {
  kind: "reaction",
  name: "http",
  description: "Sends events in the bodies of HTTP requests",
  config_schema: settings({
    url: {
      description: "Where requests go, http or https",
      type: "string",
      pattern: "^https?://",
    },
    url_from: cel("string", "Gives the URL for each event; in place of url"),
    method: {
      description: "The method of requests",
      enum: ["POST", "PUT", "PATCH", "DELETE"],
      default: "POST",
    },
    format: {
      description: "A line for each event, a JSON array of events, or a request for each event",
      enum: ["ndjson", "array", "single"],
      default: "ndjson",
    },
    body: cel("any", "Gives what is sent of each event; its payload when absent"),
    headers: {
      description: "Headers of every request; values are never shown",
      type: "object",
      additionalProperties: { type: "string", writeOnly: true },
      default: {},
    },
    headers_from: {
      description: "Headers that are made of events",
      type: "object",
      additionalProperties: cel("string", "Gives the value of the header"),
      default: {},
    },
    max_events: {
      description: "Events in one request at most",
      type: "integer",
      minimum: 1,
      maximum: 65_536,
      default: 1000,
    },
    max_bytes: {
      ...SIZE,
      description: "Bytes of one request's body at most, unless one event alone has more",
      minimum: 1,
      default: "1MiB",
    },
    concurrency: {
      description: "Requests that may be under way at once; with more than 1 the order may change",
      type: "integer",
      minimum: 1,
      maximum: 64,
      default: 1,
    },
    timeout: {
      ...DURATION,
      description: "How long to wait for a response",
      default: "30s",
    },
    invalid_statuses: {
      description: "Responses that say that an event is not wanted, now or later",
      type: "array",
      items: { type: "integer", minimum: 400, maximum: 599 },
      default: [400, 413, 422],
    },
  }, {
    anyOf: [{ required: ["url"] }, { required: ["url_from"] }],
    not: { required: ["url", "url_from"] },
  }),
};
