import { cel, type Entry, ON_ERROR, settings } from "./fields.ts";

export const ROUTE: Entry = {
  kind: "processor",
  name: "route",
  description: "Sends events to outputs by conditions",
  outputs: ["else"],
  config_schema: settings({
    routes: {
      description: "Names of outputs, and the conditions under which events go there",
      type: "object",
      minProperties: 1,
      maxProperties: 63,
      propertyNames: {
        pattern: "^(?!else$)[a-z][a-z0-9_-]{0,62}$",
        description:
          "a small letter, then small letters, digits, - and _, at most 63 in all; else is what no route takes",
      },
      additionalProperties: cel("bool", "Events for which it is true go to this output"),
      "x-busbar-outputs": true,
    },
    mode: {
      description: "Whether an event goes to the first output whose condition holds, or to all",
      enum: ["first", "all"],
      default: "first",
    },
    on_error: ON_ERROR,
  }, { required: ["routes"] }),
};
