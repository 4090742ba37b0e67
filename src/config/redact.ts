type Json = Record<string, unknown>;

/** Stands for a secret in whatever is shown. */
export const REDACTED = "***";

/**
 * A copy of a component's settings without its secrets: what its schema marks `writeOnly: true` or
 * `format: "password"`, at any depth, also behind `$ref` into the schema, `allOf`, `anyOf` and `oneOf`.
 */
export function redact<T>(config: T, schema: unknown): T {
  return hide(config, [schema], schema) as T;
}

function hide(value: unknown, schemas: readonly unknown[], root: unknown): unknown {
  if (value === null || value === undefined) return value;
  const all = expand(schemas, root);
  if (all.some((schema) => schema["writeOnly"] === true || schema["format"] === "password")) {
    return REDACTED;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      const schemasOfItem = all.flatMap((schema) => {
        const prefix = schema["prefixItems"];
        return Array.isArray(prefix) && index < prefix.length ? [prefix[index]] : [schema["items"]];
      });
      return hide(item, schemasOfItem, root);
    });
  }
  if (typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      hide(item, all.flatMap((schema) => propertySchemas(schema, key)), root),
    ]),
  );
}

function propertySchemas(schema: Json, key: string): unknown[] {
  const found: unknown[] = [];
  const properties = schema["properties"];
  if (isObject(properties) && Object.hasOwn(properties, key)) found.push(properties[key]);
  const patterns = schema["patternProperties"];
  for (const [pattern, value] of Object.entries(isObject(patterns) ? patterns : {})) {
    if (matches(pattern, key)) found.push(value);
  }
  return found.length > 0
    ? found
    : [schema["additionalProperties"], schema["unevaluatedProperties"]];
}

function matches(pattern: string, key: string): boolean {
  try {
    return new RegExp(pattern, "u").test(key);
  } catch {
    return true;
  }
}

/** The schemas and all that they refer to for the same value. */
function expand(schemas: readonly unknown[], root: unknown): Json[] {
  const found = new Set<Json>();
  const queue = [...schemas];
  for (let next = queue.pop(); queue.length > 0 || next !== undefined; next = queue.pop()) {
    if (!isObject(next) || found.has(next)) continue;
    found.add(next);
    if (typeof next["$ref"] === "string") queue.push(refer(next["$ref"], root));
    for (const key of ["allOf", "anyOf", "oneOf"]) {
      if (Array.isArray(next[key])) queue.push(...next[key]);
    }
    queue.push(next["if"], next["then"], next["else"]);
  }
  return [...found];
}

/** What a reference such as `#/$defs/secret` names within the schema. */
function refer(reference: string, root: unknown): unknown {
  if (!reference.startsWith("#")) return undefined;
  let value = root;
  for (const part of reference.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Json)[key];
  }
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
