import type { DataValidationCxt } from "ajv/dist/types/index.js";
import type { ErrorObject, ValidateFunction } from "ajv";
import type { Wanted } from "../expression/results.ts";
import { keysOf } from "./coerce.ts";
import { didYouMean } from "./suggest.ts";
import { timeReader } from "./time_formats.ts";
import { parseDuration, parseRate, parseSize } from "./units.ts";

type Json = Record<string, unknown>;

/** Checks settings in place and fills in defaults. */
export type Validate = (value: Json) => readonly ErrorObject[];

interface Format {
  /** Throws for a text that is not of it. */
  parse: (text: string) => unknown;
  /** What is expected. */
  words: string;
  /** What helps to get a text right that `parse` threw `error` for. */
  hint?: (text: string, error: Error) => string | undefined;
}

/** Formats that a config_schema may name. Others are only remarks. */
const FORMATS: Readonly<Record<string, Format>> = {
  "busbar-duration": { parse: parseDuration, words: "a duration such as 500ms, 30s or 5m" },
  "busbar-size": { parse: parseSize, words: "a size such as 64MiB, 10MB or a number of bytes" },
  "busbar-rate": { parse: parseRate, words: "a rate such as 100/s, 6000/m or a number per second" },
  "busbar-named-groups": {
    parse: namedGroups,
    words: "a regular expression of JavaScript with named groups, such as (?<user>\\S+)",
    hint: (_, { message }) => message.replace(/^Invalid regular expression: \/.*\/u: /s, ""),
  },
  "busbar-time-format": {
    parse: timeReader,
    words: "iso8601, epoch_s, epoch_ms, epoch_us, epoch_ns, clf, or a pattern such as %Y-%m-%d",
    hint: (_, { message }) => message,
  },
  "busbar-time-zone": {
    parse: (timeZone) => new Intl.DateTimeFormat("en", { timeZone }),
    words: "a time zone such as UTC or Europe/Berlin",
    hint: (text) => didYouMean(text, Intl.supportedValuesOf("timeZone")),
  },
  "busbar-json-pointer": {
    parse: jsonPointer,
    words: "a JSON pointer such as /user/id",
  },
};

/** What a format of this project wants, in words, and what helps with a text that is not of it. */
export function formatFault(
  name: string,
  text: unknown,
): { words: string; suggestion?: string | undefined } {
  if (!Object.hasOwn(FORMATS, name)) return { words: `text of the format "${name}"` };
  const { words, parse, hint } = FORMATS[name]!;
  try {
    parse(String(text));
    return { words };
  } catch (error) {
    return { words, suggestion: hint?.(String(text), error as Error) };
  }
}

/** A setting that is an expression: a string with the keyword `x-cel-type` in its schema. */
export interface ExpressionSetting {
  /** Where it stands in the settings. */
  keys: (string | number)[];
  wanted: Wanted;
  /** Of `x-cel-variables` and `x-cel-variables-of`: what it can name instead of an event's variables. */
  variables: Record<string, string> | undefined;
}

const compiled = new WeakMap<Json, ValidateFunction>();
let compile: ((schema: Json) => ValidateFunction) | undefined;

/**
 * A validator for a plugin's config_schema (JSON Schema 2020-12).
 * @throws Error if the schema itself is not valid
 */
export async function validatorOf(schema: Json): Promise<Validate> {
  if (schema["$async"] !== undefined) throw new Error("$async is not JSON Schema");
  // It takes 45 ms to load, and most commands never need it.
  compile ??= await loadCompiler();
  const validate = compiled.get(schema) ?? compile(schema);
  compiled.set(schema, validate);
  return (value) => validate(value) ? [] : withoutNoise(validate.errors ?? []);
}

/** What was met since {@linkcode expressionsIn} began. */
let met: ExpressionSetting[] = [];

/** The expressions among settings that were checked with the same schema. */
export async function expressionsIn(schema: Json, value: Json): Promise<ExpressionSetting[]> {
  if (!JSON.stringify(schema).includes('"x-cel-type"')) return [];
  const validate = await validatorOf(schema);
  met = [];
  validate(value);
  return met;
}

async function loadCompiler(): Promise<(schema: Json) => ValidateFunction> {
  const { Ajv2020 } = await import("ajv/dist/2020.js");
  const ajv = new Ajv2020({
    allErrors: true,
    useDefaults: true,
    verbose: true,
    strict: false,
    logger: false,
    // Two plugins may name their schemas alike.
    addUsedSchema: false,
    formats: Object.fromEntries(
      Object.entries(FORMATS).map(([name, { parse }]) => [
        name,
        (text: string) => succeeds(parse, text),
      ]),
    ),
  });
  ajv.addKeyword({
    keyword: "x-cel-type",
    type: "string",
    errors: false,
    validate: (wanted: Wanted, _text: string, schema?: Json, at?: DataValidationCxt) => {
      const keys = keysOf(at?.instancePath ?? "", at?.rootData);
      met.push({ keys, wanted, variables: variablesOf(schema ?? {}, at?.parentData ?? {}) });
      return true;
    },
  });
  return (schema) => ajv.compile(schema);
}

/** Variables by `x-cel-variables`, and by `x-cel-variables-of`: the names in another setting, with types by what they have. */
function variablesOf(schema: Json, siblings: Json): Record<string, string> | undefined {
  const fixed = schema["x-cel-variables"] as Record<string, string> | undefined;
  const named = schema["x-cel-variables-of"] as
    | { setting: string; names: string; types: Record<string, string> }
    | undefined;
  if (named === undefined) return fixed;
  const valid = new RegExp(named.names);
  const variables = { ...fixed };
  for (const [name, value] of Object.entries(siblings[named.setting] ?? {})) {
    if (typeof value !== "object" || value === null || !valid.test(name)) continue;
    const member = Object.keys(named.types).find((one) => one in value);
    if (member !== undefined) variables[name] = named.types[member]!;
  }
  return variables;
}

function namedGroups(pattern: string): void {
  const { groups } = new RegExp(`${pattern}|`, "u").exec("")!;
  if (groups === undefined) throw new Error("There are no named groups");
}

function jsonPointer(text: string): void {
  if (!/^(\/([^~]|~[01])*)+$/.test(text)) throw new Error("It is no JSON pointer");
}

function succeeds(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Drops what only repeats another error: each failed branch of a choice, why a name is none, and `if` itself. */
function withoutNoise(errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = errors.filter(({ keyword }) => keyword === "anyOf" || keyword === "oneOf")
    .map(({ schemaPath }) => `${schemaPath}/`);
  return errors.filter(({ keyword, schemaPath, propertyName }) =>
    keyword !== "if" && propertyName === undefined &&
    !choices.some((choice) => schemaPath.startsWith(choice))
  );
}
