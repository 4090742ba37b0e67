import type { z } from "zod";
import type { Path } from "./source.ts";

/** What may stand at a place of the configuration. */
export type Shape =
  | { kind: "object"; keys: string[] }
  | { kind: "record" }
  | { kind: "list" }
  | { kind: "scalar" }
  | { kind: "free" };

type AnySchema = z.core.$ZodTypes;

/** The schema of the value at `path`; undefined where no value may be. */
export function shapeAt(root: z.core.$ZodType, path: Path): Shape | undefined {
  let schema: AnySchema | undefined = unwrap(root as AnySchema);
  for (const part of path) {
    if (schema === undefined) return undefined;
    const def: AnySchema["_zod"]["def"] = schema._zod.def;
    if (def.type === "object") {
      schema = Object.hasOwn(def.shape, part) ? def.shape[part] as AnySchema : undefined;
    } else if (def.type === "record") schema = def.valueType as AnySchema;
    else if (def.type === "array") schema = def.element as AnySchema;
    else if (def.type !== "unknown") schema = undefined;
    schema = schema && unwrap(schema);
  }
  return schema && shapeOf(schema);
}

function shapeOf(schema: AnySchema): Shape {
  const { def } = schema._zod;
  switch (def.type) {
    case "object":
      return { kind: "object", keys: Object.keys(def.shape) };
    case "record":
      return unwrap(def.valueType as AnySchema)._zod.def.type === "unknown"
        ? { kind: "free" }
        : { kind: "record" };
    case "unknown":
      return { kind: "free" };
    case "array":
      return { kind: "list" };
    default:
      return { kind: "scalar" };
  }
}

/** Takes off what only adds a default, makes a value optional, or changes it after reading. */
function unwrap(schema: AnySchema): AnySchema {
  for (;;) {
    const { def } = schema._zod;
    if (def.type === "default" || def.type === "prefault" || def.type === "optional") {
      schema = def.innerType as AnySchema;
    } else if (def.type === "pipe") schema = def.in as AnySchema;
    else return schema;
  }
}
