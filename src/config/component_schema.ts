import type { ErrorObject, ValidateFunction } from "ajv";
import { parseDuration, parseRate, parseSize } from "./units.ts";

type Json = Record<string, unknown>;

/** Checks settings in place and fills in defaults. */
export type Validate = (value: Json) => readonly ErrorObject[];

/** Formats that a config_schema may name for texts with units. Others are only remarks. */
const FORMATS: Readonly<Record<string, { parse: (text: string) => number; words: string }>> = {
  "busbar-duration": { parse: parseDuration, words: "a duration such as 500ms, 30s or 5m" },
  "busbar-size": { parse: parseSize, words: "a size such as 64MiB, 10MB or a number of bytes" },
  "busbar-rate": { parse: parseRate, words: "a rate such as 100/s, 6000/m or a number per second" },
};

/** What a format of this project wants, in words. */
export function formatInWords(name: string): string {
  return Object.hasOwn(FORMATS, name) ? FORMATS[name]!.words : `text of the format "${name}"`;
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
  return (schema) => ajv.compile(schema);
}

function succeeds(parse: (text: string) => number, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Drops what only repeats another error: each failed branch of a choice, and `if` itself. */
function withoutNoise(errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = errors.filter(({ keyword }) => keyword === "anyOf" || keyword === "oneOf")
    .map(({ schemaPath }) => `${schemaPath}/`);
  return errors.filter(({ keyword, schemaPath }) =>
    keyword !== "if" && !choices.some((choice) => schemaPath.startsWith(choice))
  );
}
