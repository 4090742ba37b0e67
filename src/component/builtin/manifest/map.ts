import { cel, type Entry, ON_ERROR, PATH, settings } from "./fields.ts";

export const MAP: Entry = {
  kind: "processor",
  name: "map",
  description: "Makes other events of events",
  config_schema: settings({
    payload: cel("any", "The new payload: a text or bytes as they are, anything else as JSON"),
    set: {
      description: "Members of a JSON payload to set, such as user.name",
      type: "object",
      propertyNames: {
        pattern: PATH,
        description: "names with dots between them, without brackets and quotes",
      },
      additionalProperties: cel("any", "The member's value"),
    },
    remove: {
      description: "Members of a JSON payload to remove",
      type: "array",
      items: { type: "string", pattern: PATH },
    },
    content_type: {
      description: "What the payload is; found by its value when it is changed, and kept otherwise",
      enum: ["bytes", "text", "json", "msgpack", "cbor", "protobuf", "avro", "arrow"],
    },
    key: cel("string", "The new key"),
    attributes: {
      description: "Attributes to set; null removes one",
      type: "object",
      additionalProperties: cel("any", "The attribute's value"),
    },
    timestamp: cel("timestamp", "The new time: a time, RFC 3339 text, or seconds since 1970"),
    operation: cel("operation", "The new operation: message, insert, update or delete"),
    on_error: ON_ERROR,
  }),
};
