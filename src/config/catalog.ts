import { didYouMean } from "./suggest.ts";

/** The plugins that a configuration may name. */
export interface Catalog {
  plugins: readonly PluginDescription[];
}

/** What of a plugin's manifest matters here. */
export interface PluginDescription {
  name: string;
  version: string;
  components: readonly ComponentDescription[];
  /** Throws what is wrong with settings that fit the component's schema: a `SettingError` where one setting is to blame. */
  check?: (component: ComponentDescription, config: Record<string, unknown>) => Promise<void>;
  /** Components that this program was built without, as `kind/name`. */
  leftOut?: readonly string[] | undefined;
  /** A language runtime that exists once per process. */
  runtime?: "go" | undefined;
}

export interface ComponentDescription {
  kind: string;
  name: string;
  replayable?: boolean | undefined;
  blocking?: boolean | undefined;
  /** How often `tick` of a processor or reaction is called, in milliseconds. */
  tick_ms?: number | undefined;
  /** Calls that a service or hook takes at once. */
  concurrency?: number | undefined;
  /** A source that can be run in several cells, each taking a part of the keys. */
  partitioned?: boolean | undefined;
  outputs?: readonly string[] | undefined;
  /** JSON Schema 2020-12 of the component's settings. */
  config_schema?: Record<string, unknown> | undefined;
}

/** The output of a component whose plugin names none. */
export const DEFAULT_OUTPUT = "out";

export type Lookup =
  | { plugin: PluginDescription; component: ComponentDescription }
  | LookupFailure;

/** Why nothing was found; {@linkcode messageAt} puts the place into it. */
export interface LookupFailure {
  message: string;
  reason?: string;
  suggestion?: string | undefined;
}

/** What is wrong at a place of the configuration, such as `pipelines.a.sources.b.use`. */
export function messageAt({ message, reason }: LookupFailure, place: string): string {
  return `${message} in ${place}${reason === undefined ? "" : `: ${reason}`}`;
}

/** Finds what `use` names: `plugin/component`, or `plugin` where it has one component of the kind. */
export function lookUp(catalog: Catalog, use: string, kind: string): Lookup {
  const [pluginName = "", componentName, ...rest] = use.split("/");
  if (rest.length > 0 || pluginName === "" || componentName === "") {
    return { message: `Cannot read "${use}": expected plugin or plugin/component` };
  }
  const plugin = catalog.plugins.find(({ name }) => name === pluginName);
  if (plugin === undefined) {
    const names = catalog.plugins.map(({ name }) => name);
    return { message: `Unknown plugin "${pluginName}"`, suggestion: didYouMean(pluginName, names) };
  }
  const ofKind = plugin.components.filter((component) => component.kind === kind);
  if (componentName === undefined) {
    const [component] = ofKind;
    if (ofKind.length === 1 && component !== undefined) return { plugin, component };
    return {
      message: `Plugin "${pluginName}" has ${ofKind.length || "no"} ${kind}${
        ofKind.length > 1 ? "s" : ""
      }`,
      suggestion: ofKind.length > 1
        ? `name one: ${fullNames(pluginName, ofKind)}`
        : contents(plugin),
    };
  }
  // No name holds "_", which people write for "-".
  const written = componentName.replaceAll("_", "-");
  const named = plugin.components.filter(({ name }) => name === written);
  const component = named.find((candidate) => candidate.kind === kind);
  if (component !== undefined) return { plugin, component };
  if (plugin.leftOut?.includes(`${kind}/${written}`)) return notBuiltIn(plugin, kind, written);
  if (named[0] !== undefined) {
    return {
      message: `Cannot use ${named[0].kind} "${use}" as a ${kind}`,
      suggestion: ofKind.length > 0 ? `there are: ${fullNames(pluginName, ofKind)}` : undefined,
    };
  }
  return {
    message: `Unknown ${kind} "${componentName}" of plugin "${pluginName}"`,
    suggestion: didYouMean(componentName, ofKind.map(({ name }) => name)) ?? contents(plugin),
  };
}

function notBuiltIn(
  { name, components }: PluginDescription,
  kind: string,
  component: string,
): LookupFailure {
  const included = components.map(({ kind, name }) => `${kind}/${name}`);
  const wanted = [...included, `${kind}/${component}`].join(",");
  return {
    message: `Cannot use ${kind} "${name}/${component}"`,
    reason: "it is not in this binary, which was built with --builtins " +
      (included.join(",") || "none"),
    suggestion: `use a binary with all, or build one with scripts/build --builtins ${wanted}`,
  };
}

function fullNames(plugin: string, components: readonly ComponentDescription[]): string {
  return components.map(({ name }) => `${plugin}/${name}`).join(", ");
}

function contents({ components }: PluginDescription): string {
  return `it has: ${
    components.map(({ kind, name }) => `${kind} "${name}"`).join(", ") || "nothing"
  }`;
}
