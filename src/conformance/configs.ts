import { type Validate, validatorOf } from "../config/component_schema.ts";
import { Random } from "./random.ts";
import { type Extent, isObject, type Json, valueForSchema } from "./value_for_schema.ts";

/** Texts of settings to create a component with. */
export interface Configs {
  /** One that works: the fixture's, an example of the schema's, or the smallest that is valid; undefined when none was found. */
  readonly working: string | undefined;
  /** Where {@linkcode Configs.working} comes from, or why there is none. */
  readonly origin: string;
  /** What the schema has against the settings that were given. */
  readonly faults: readonly string[];
  /** All of these the schema accepts; defaults are filled in. */
  readonly valid: readonly string[];
  /** Nothing but defaults; none where something has no default and is required. */
  readonly default: readonly string[];
  /** JSON objects that the schema refuses. */
  readonly invalid: readonly string[];
  /** Long and deep ones. */
  readonly huge: readonly string[];
  /** Any JSON, and text that is none. */
  readonly random: readonly string[];
}

/** What settings are made from. */
export interface ConfigSources {
  readonly schema: Json | undefined;
  /** Settings of the fixture: those to work with first. */
  readonly given: readonly Json[];
}

const TRIES = 40;
const VALID = 12;
const RANDOM = 24;
const LONG_BYTES = 1 << 18;
const DEEP = 10_000;

/** Makes settings of all kinds for a component, the same again for the same seed. */
export async function makeConfigs(sources: ConfigSources, seed: number): Promise<Configs> {
  const schema = sources.schema ?? {};
  const validate = await validatorOf(schema);
  const checked = (value: unknown) => fill(validate, value);
  const faults: string[] = [];
  const given = sources.given.map((value) => {
    const copy = structuredClone(value);
    for (const { instancePath, message, data } of validate(copy)) {
      // A placeholder may stand for a number, or for a text that fits a pattern.
      if (typeof data === "string" && data.includes("${")) continue;
      faults.push(`"${instancePath || "/"}" of conformance.json ${message}`);
    }
    return copy;
  });
  const examples = (Array.isArray(schema.examples) ? schema.examples : []).map(checked)
    .filter((value) => value !== undefined);
  const generated = (extent: Extent, purpose: string) => {
    const random = Random.for(seed, `config ${purpose}`);
    for (let i = 0; i < TRIES; i++) {
      const value = checked(valueForSchema(schema, random, { extent }));
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const defaults = checked({});
  const minimal = defaults ?? generated("minimal", "minimal");
  const working = given[0] ?? examples[0] ?? minimal;
  const origin = given.length > 0
    ? "the fixtures"
    : examples.length > 0
    ? "config_schema.examples"
    : minimal !== undefined
    ? "the smallest that config_schema accepts"
    : "no settings that config_schema accepts; put some into conformance.json";
  const valid = [
    ...given,
    ...examples,
    minimal,
    generated("maximal", "maximal"),
    ...Array.from({ length: VALID }, (_, index) => generated("random", `valid ${index}`)),
  ].filter((value) => value !== undefined);
  const text = (value: unknown) => JSON.stringify(value);
  return {
    working: working && text(working),
    origin,
    faults,
    valid: unique(valid.map(text)),
    default: defaults === undefined ? [] : [text(defaults)],
    invalid: unique(
      makeInvalid(schema, working ?? {}).filter((value) => checked(value) === undefined).map(text),
    ),
    huge: makeHuge(schema, working ?? {}),
    random: makeRandom(Random.for(seed, "config random"), working ?? {}),
  };
}

/** A copy with defaults filled in, or undefined where the schema refuses it. */
function fill(validate: Validate, value: unknown): Json | undefined {
  if (!isObject(value)) return undefined;
  const copy = structuredClone(value);
  return validate(copy).length === 0 ? copy : undefined;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

/** Settings of which most break one rule each: a type, a limit, a missing or an unknown name. */
function makeInvalid(schema: Json, working: Json): Json[] {
  const properties = isObject(schema.properties) ? Object.keys(schema.properties) : [];
  const names = new Set([...properties, ...Object.keys(working)]);
  const others: unknown[] = [null, true, -1, 1.5, 1e300, "", "\0", "x".repeat(70), [], [[]], {}];
  return [
    {},
    { ...working, unknown_setting: 1 },
    ...[...names].flatMap((name) => [
      Object.fromEntries(Object.entries(working).filter(([key]) => key !== name)),
      ...others.map((value) => ({ ...working, [name]: value })),
    ]),
  ];
}

function makeHuge(schema: Json, working: Json): string[] {
  const properties = isObject(schema.properties) ? Object.keys(schema.properties) : [];
  const long = "x".repeat(LONG_BYTES);
  const deep = "[".repeat(DEEP) + "]".repeat(DEEP);
  const list = Array.from({ length: 20_000 }, () => "x");
  return [
    JSON.stringify({ ...working, long }),
    `{"deep":${deep}}`,
    `${'{"deep":'.repeat(DEEP)}1${"}".repeat(DEEP)}`,
    JSON.stringify(Object.fromEntries(list.map((_, index) => [`key_${index}`, index]))),
    ...properties.slice(0, 8).flatMap((name) => [
      JSON.stringify({ ...working, [name]: long }),
      JSON.stringify({ ...working, [name]: list }),
      JSON.stringify({ ...working, [name]: 0 }).replace(/0\}$/, `${"9".repeat(400)}}`),
    ]),
  ];
}

function makeRandom(random: Random, working: Json): string[] {
  const base = JSON.stringify(working);
  return [
    "",
    "null",
    "[]",
    '""',
    "0",
    "{",
    '{"',
    '{"a":}',
    '{"a":1,}',
    '{"a":"\\ud800"}',
    "\ufeff{}",
    ...Array.from({ length: RANDOM }, () => JSON.stringify(randomJson(random, 0))),
    ...Array.from({ length: RANDOM }, () => damaged(base, random).toWellFormed()),
  ];
}

function randomJson(random: Random, depth: number): unknown {
  const kind = random.below(depth > 3 ? 4 : 6);
  const few = () => random.below(4);
  switch (kind) {
    case 0:
      return random.pick([null, true, false]);
    case 1:
      return random.pick([0, -0.5, 1e308, -1e-308, 2 ** 53, random.next()]);
    case 2:
    case 3:
      return random.text(few() * few());
    case 4:
      return Array.from({ length: few() }, () => randomJson(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: few() }, () => [random.text(few()), randomJson(random, depth + 1)]),
      );
  }
}

/** The text with one to three characters replaced, left out or doubled, or with its end cut off. */
function damaged(text: string, random: Random): string {
  let result = text;
  for (let i = random.between(1, 3); i > 0; i--) {
    const at = random.below(result.length + 1);
    const rest = result.slice(at + random.below(3));
    result = result.slice(0, at) + random.pick(["", random.text(1), "{", '"', ":", "\\"]) +
      (random.oneIn(6) ? "" : rest);
  }
  return result;
}
