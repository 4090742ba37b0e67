import type { ErrorObject } from "ajv";
import type { ComponentDescription, PluginDescription } from "./catalog.ts";
import { coerceText, keysOf, replaceAt, typeInWords, valueAt, valueInWords } from "./coerce.ts";
import { formatFault, type Validate, validatorOf } from "./component_schema.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { checkExpressions } from "./expression_check.ts";
import type { LoadedConfig } from "./load.ts";
import { checkSettings } from "./settings_check.ts";
import { type ConfigSource, formatPath, type Path } from "./source.ts";
import { closest, didYouMean } from "./suggest.ts";

type Json = Record<string, unknown>;

/** A component of a pipeline whose settings are to be made. */
export interface ComponentUse {
  /** Where it stands: `pipelines.web.sources.access`. */
  path: Path;
  plugin: PluginDescription;
  component: ComponentDescription;
  /** Its own `config`. */
  config: Json | undefined;
}

/** The component's final settings, checked against its schema, and what is wrong with them. */
export async function componentConfig(
  loaded: LoadedConfig,
  use: ComponentUse,
): Promise<{ config: Json; diagnostics: Diagnostic[] }> {
  const { source } = loaded;
  const { path, plugin, component } = use;
  const merged = mergedConfig(loaded, use);
  const schema = component.config_schema;
  if (schema === undefined) return { config: merged, diagnostics: [] };
  let validate: Validate;
  try {
    validate = await validatorOf(schema);
  } catch (error) {
    const name = `${plugin.name}/${component.name}`;
    const message =
      `Cannot check ${formatPath(path)}: the config_schema of "${name}" is not valid: ` +
      (error as Error).message;
    return { config: merged, diagnostics: [source.diagnostic([...path, "use"], message)] };
  }
  const own: Path = [...path, "config"];
  const common: Path = ["plugins", "use", plugin.name, "config"];
  /** Where a setting stands: with the component, else with its plugin. */
  const locate = (keys: Path): Path =>
    !source.has([...own, ...keys]) && source.has([...common, ...keys])
      ? [...common, ...keys]
      : [...own, ...keys];
  for (;;) {
    const errors = validate(merged);
    const repaired = errors.map((error) => repair(source, merged, { error, locate }));
    if (repaired.includes(true)) continue;
    const diagnostics = [
      ...errors.flatMap((error) => explain(source, merged, { error, locate })),
      ...await checkExpressions(source, merged, { schema, locate }),
    ];
    if (diagnostics.length === 0) {
      diagnostics.push(...await checkSettings(source, merged, { plugin, component, locate }));
    }
    return { config: merged, diagnostics };
  }
}

/** A component's settings as they are written: those of its plugin that it knows, and its own over them. */
export function mergedConfig(
  { config: { plugins } }: LoadedConfig,
  { plugin, component, config = {} }: Omit<ComponentUse, "path">,
): Json {
  const shared = Object.hasOwn(plugins.use, plugin.name) ? plugins.use[plugin.name]?.config : {};
  return merge(acceptedBy(component, shared ?? {}), config);
}

/** Reports settings of `plugins.use.NAME.config` that no component of the plugin knows. */
export function checkSharedConfig(
  { config: { plugins }, source }: LoadedConfig,
  plugin: PluginDescription,
): Diagnostic[] {
  const shared = Object.hasOwn(plugins.use, plugin.name) ? plugins.use[plugin.name]?.config : {};
  return Object.keys(shared ?? {})
    .filter((key) => !plugin.components.some((component) => accepts(component, key)))
    .map((key) => {
      const path = ["plugins", "use", plugin.name, "config"];
      const known = plugin.components.flatMap((component) => Object.keys(propertiesOf(component)));
      return source.diagnostic([...path, key], `Unknown key "${key}" in ${formatPath(path)}`, {
        suggestion: didYouMean(key, new Set(known)),
        at: "key",
      });
    });
}

/** A plugin's settings are for several components, of which each takes what it knows. */
function acceptedBy(component: ComponentDescription, shared: Json): Json {
  return Object.fromEntries(Object.entries(shared).filter(([key]) => accepts(component, key)));
}

function accepts(component: ComponentDescription, key: string): boolean {
  const schema = component.config_schema;
  const closed = schema?.["additionalProperties"] === false ||
    schema?.["unevaluatedProperties"] === false;
  return !closed || Object.hasOwn(propertiesOf(component), key);
}

function propertiesOf({ config_schema }: ComponentDescription): Json {
  const properties = config_schema?.["properties"];
  return isGroup(properties) ? properties : {};
}

/** Settings of both, groups of settings joined, everything else taken from `over`. A deep copy. */
function merge(under: Json, over: Json): Json {
  const result = structuredClone(under);
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(result, key) ? result[key] : undefined;
    result[key] = isGroup(below) && isGroup(value) ? merge(below, value) : structuredClone(value);
  }
  return result;
}

interface Finding {
  error: ErrorObject;
  locate: (keys: Path) => Path;
}

/** Text that was put in becomes the number or boolean that the schema wants. */
function repair(source: ConfigSource, config: Json, { error, locate }: Finding): boolean {
  if (error.keyword !== "type") return false;
  const keys = keysOf(error.instancePath, config);
  const value = valueAt(config, keys);
  if (typeof value !== "string" || !source.place(locate(keys))?.loose) return false;
  const better = coerceText(value, [error.params.type].flat());
  if (better === undefined) return false;
  replaceAt(config, keys, better);
  return true;
}

function explain(source: ConfigSource, config: Json, { error, locate }: Finding): Diagnostic[] {
  const keys = keysOf(error.instancePath, config);
  const path = locate(keys);
  const where = formatPath(path);
  const { params, keyword } = error;
  const value = valueAt(config, keys);
  switch (keyword) {
    case "required":
      return [
        source.diagnostic(
          [...path, params.missingProperty],
          `Missing "${params.missingProperty}" in ${where}`,
        ),
      ];
    case "additionalProperties":
    case "unevaluatedProperties": {
      const key: string = params.additionalProperty ?? params.unevaluatedProperty;
      const known = Object.keys(error.parentSchema?.["properties"] ?? {});
      return [
        source.diagnostic(locate([...keys, key]), `Unknown key "${key}" in ${where}`, {
          suggestion: didYouMean(key, known),
          at: "key",
        }),
      ];
    }
    case "type": {
      const types = [params.type].flat().map(typeInWords).join(" or ");
      return [
        source.diagnostic(path, `Expected ${types} for ${where}, found ${valueInWords(value)}`),
      ];
    }
    case "enum": {
      const allowed: unknown[] = params.allowedValues;
      const near = typeof value === "string" ? closest(value, allowed.map(String)) : undefined;
      const list = allowed.map((option) => JSON.stringify(option)).join(", ");
      return [
        source.diagnostic(path, `Expected one of ${list} for ${where}`, {
          suggestion: near && `did you mean "${near}"?`,
        }),
      ];
    }
    case "oneOf": {
      const names = choiceOf(error.schema as unknown as Json[]);
      if (names === undefined) break;
      return [source.diagnostic(path, `Expected exactly one of ${names.join(", ")} in ${where}`)];
    }
    case "propertyNames": {
      const key: string = params.propertyName;
      const at = locate([...keys, key]);
      const { description } = error.schema as { description?: string };
      const message = `Cannot use the name "${key}" in ${where}`;
      const suggestion = description && `allowed: ${description}`;
      return [source.diagnostic(at, message, { at: "key", suggestion })];
    }
    case "format": {
      const { words, suggestion } = formatFault(params.format, value);
      return [source.diagnostic(path, `Expected ${words} for ${where}`, { suggestion })];
    }
  }
  return [source.diagnostic(path, `Cannot use this value for ${where}: it ${error.message}`)];
}

/** The members of which there has to be one, where a `oneOf` says nothing else. */
function choiceOf(schemas: readonly Json[]): unknown[] | undefined {
  const names = schemas.map(({ required, ...rest }) =>
    Array.isArray(required) && required.length === 1 && Object.keys(rest).length === 0
      ? required[0]
      : undefined
  );
  return names.includes(undefined) ? undefined : names;
}

function isGroup(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
