import type { Random } from "./random.ts";
import { textForPattern } from "./text_for_pattern.ts";

/** A JSON object. */
export type Json = Record<string, unknown>;

/** How much a generated value holds: what it must, everything it may, or a random part. */
export type Extent = "minimal" | "maximal" | "random";

const MAX_DEPTH = 8;
/** Where a schema that must contain itself is given up. */
const DEEPEST = 64;
const MAX_ITEMS = 10_000;
const MAX_TEXT = 1 << 20;
const FORMATS: Readonly<Record<string, readonly string[]>> = {
  "busbar-duration": ["500ms", "30s", "5m"],
  "busbar-size": ["64KiB", "10MB", "4096"],
  "busbar-rate": ["100/s", "6000/m"],
  "busbar-named-groups": ["(?<word>\\w+)"],
  "busbar-time-format": ["iso8601", "%Y-%m-%d"],
  "busbar-time-zone": ["UTC", "Europe/Berlin"],
  "busbar-json-pointer": ["/a", "/a/b"],
  "date-time": ["2026-01-01T00:00:00Z"],
  date: ["2026-01-01"],
  time: ["12:00:00Z"],
  duration: ["PT5M"],
  uri: ["http://127.0.0.1/"],
  "uri-reference": ["/a"],
  email: ["a@example.org"],
  hostname: ["localhost"],
  ipv4: ["127.0.0.1"],
  ipv6: ["::1"],
  uuid: ["00000000-0000-4000-8000-000000000000"],
  regex: ["^a+$", "[0-9]"],
};

/**
 * A value that probably fits a JSON Schema: the keywords that constrain one value by itself are followed, what ties values together
 * is not. The caller checks it.
 */
export function valueForSchema(
  schema: unknown,
  random: Random,
  options: { extent: Extent; root?: Json },
): unknown {
  const root = options.root ?? (isObject(schema) ? schema : {});
  return new Generator(root, random, options.extent).value(schema, 0);
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

class Generator {
  readonly #root: Json;
  readonly #random: Random;
  readonly #extent: Extent;

  constructor(root: Json, random: Random, extent: Extent) {
    this.#root = root;
    this.#random = random;
    this.#extent = extent;
  }

  value(given: unknown, depth: number): unknown {
    if (depth > DEEPEST) return null;
    const schema = this.#flat(given, 0);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum) && schema.enum.length > 0) return this.#random.pick(schema.enum);
    if (this.#extent === "minimal" && schema.default !== undefined) return schema.default;
    const examples = schema.examples;
    if (Array.isArray(examples) && examples.length > 0 && this.#likes()) {
      return this.#random.pick(examples);
    }
    switch (this.#typeOf(schema)) {
      case "object":
        return this.#object(schema, depth);
      case "array":
        return this.#array(schema, depth);
      case "string":
        return this.#string(schema);
      case "integer":
        return this.#integer(schema);
      case "number":
        return this.#number(schema);
      case "boolean":
        return this.#random.oneIn(2);
      default:
        return null;
    }
  }

  /** The schema with references, choices and conjunctions resolved into one object. */
  #flat(given: unknown, depth: number): Json {
    if (!isObject(given) || depth > MAX_DEPTH) return {};
    let schema = given;
    const reference = schema.$ref;
    if (typeof reference === "string") {
      schema = { ...this.#flat(this.#lookUp(reference), depth + 1), ...without(schema, "$ref") };
    }
    for (const keyword of ["allOf", "anyOf", "oneOf"]) {
      const parts = schema[keyword];
      if (!Array.isArray(parts) || parts.length === 0) continue;
      const chosen = keyword === "allOf" ? parts : [this.#random.pick(parts)];
      const rest = without(schema, keyword);
      schema = chosen.reduce(
        (all: Json, part) => join(all, this.#flat(part, depth + 1)),
        rest,
      );
    }
    return schema;
  }

  #lookUp(reference: string): unknown {
    if (!reference.startsWith("#")) return {};
    let found: unknown = this.#root;
    for (const part of reference.slice(1).split("/").slice(1)) {
      const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
      found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
    }
    return found;
  }

  #typeOf(schema: Json): string {
    if (Array.isArray(schema.type)) return String(this.#random.pick(schema.type));
    if (typeof schema.type === "string") return schema.type;
    if (schema.properties !== undefined || schema.required !== undefined) return "object";
    if (schema.items !== undefined || schema.prefixItems !== undefined) return "array";
    if (schema.minimum !== undefined || schema.maximum !== undefined) return "number";
    if (schema.pattern !== undefined || schema.minLength !== undefined) return "string";
    return this.#random.pick(["string", "integer", "boolean", "null"]);
  }

  #object(schema: Json, depth: number): Json {
    const properties = isObject(schema.properties) ? schema.properties : {};
    const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
    const result: Json = {};
    for (const name of new Set([...required, ...Object.keys(properties)])) {
      const wanted = required.includes(name) || (depth < MAX_DEPTH && this.#likes());
      if (wanted) result[name] = this.value(properties[name], depth + 1);
    }
    const least = Math.min(Number(schema.minProperties ?? 0), MAX_ITEMS);
    const more = isObject(schema.additionalProperties) ? schema.additionalProperties : undefined;
    const extra = more !== undefined && depth < MAX_DEPTH && this.#likes() ? 1 : 0;
    for (let n = Object.keys(result).length; n < least + extra; n++) {
      result[`key_${n}`] = this.value(more ?? { type: "string" }, depth + 1);
    }
    return result;
  }

  #array(schema: Json, depth: number): unknown[] {
    const least = Math.min(Number(schema.minItems ?? 0), MAX_ITEMS);
    const most = Math.min(Number(schema.maxItems ?? least + 3), least + 16);
    const length = this.#between(least, depth < MAX_DEPTH ? most : least);
    const first = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
    const items = Array.from(
      { length },
      (_, index) => this.value(first[index] ?? schema.items ?? { type: "string" }, depth + 1),
    );
    if (schema.uniqueItems !== true) return items;
    const seen = new Map(items.map((item) => [JSON.stringify(item), item]));
    return [...seen.values()];
  }

  #string(schema: Json): string {
    if (typeof schema.pattern === "string") return textForPattern(schema.pattern, this.#random);
    const format = FORMATS[String(schema.format)];
    if (format !== undefined) return this.#random.pick(format);
    const least = Math.min(Number(schema.minLength ?? 0), MAX_TEXT);
    const most = Math.min(Number(schema.maxLength ?? least + 24), least + 4096);
    return this.#random.text(this.#between(least, most));
  }

  #integer(schema: Json): number {
    const { low, high } = limits(schema, 1);
    const step = Number(schema.multipleOf ?? 1);
    const first = Math.ceil(low / step);
    const last = Math.floor(high / step);
    return this.#between(first, Math.max(first, last)) * step;
  }

  #number(schema: Json): number {
    if (schema.multipleOf !== undefined) return this.#integer(schema);
    const { low, high } = limits(schema, Number.EPSILON);
    if (this.#extent === "minimal") return low;
    if (this.#extent === "maximal") return high;
    return low + (high - low) * (this.#random.next() / 2 ** 32);
  }

  /** A whole number: the least, the greatest, or any between, with the ends more often than others. */
  #between(low: number, high: number): number {
    if (this.#extent === "minimal") return low;
    if (this.#extent === "maximal") return high;
    return this.#random.pick([low, high, low + this.#random.below(high - low + 1)]);
  }

  /** Whether to give what need not be there. */
  #likes(): boolean {
    if (this.#extent === "random") return this.#random.oneIn(2);
    return this.#extent === "maximal";
  }
}

function limits(schema: Json, gap: number): { low: number; high: number } {
  const above = schema.exclusiveMinimum;
  const below = schema.exclusiveMaximum;
  const least = above === undefined ? schema.minimum : Number(above) + gap;
  const most = below === undefined ? schema.maximum : Number(below) - gap;
  const low = Number(least ?? Math.min(0, Number(most ?? 0)));
  return { low, high: Number(most ?? Math.max(1000, low * 2)) };
}

/** Both schemas in one: properties and required names of both, everything else from `over`. */
function join(under: Json, over: Json): Json {
  const result = { ...under, ...over };
  if (isObject(under.properties) && isObject(over.properties)) {
    result.properties = { ...under.properties, ...over.properties };
  }
  if (Array.isArray(under.required) && Array.isArray(over.required)) {
    result.required = [...new Set([...under.required, ...over.required])];
  }
  return result;
}

function without(schema: Json, keyword: string): Json {
  const { [keyword]: _, ...rest } = schema;
  return rest;
}
