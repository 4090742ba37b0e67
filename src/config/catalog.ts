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
  /** A language runtime that exists once per process. */
  runtime?: "go" | undefined;
}

export interface ComponentDescription {
  kind: string;
  name: string;
  replayable?: boolean | undefined;
  blocking?: boolean | undefined;
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
  | { message: string; suggestion?: string | undefined };

/**
 * Finds what `use` names: `plugin/component`, or `plugin` where it has one component of the kind.
 * The message of a failure lacks the place, which the caller adds after it.
 */
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
  const named = plugin.components.filter(({ name }) => name === componentName);
  const component = named.find((candidate) => candidate.kind === kind);
  if (component !== undefined) return { plugin, component };
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

function fullNames(plugin: string, components: readonly ComponentDescription[]): string {
  return components.map(({ name }) => `${plugin}/${name}`).join(", ");
}

function contents({ components }: PluginDescription): string {
  return `it has: ${
    components.map(({ kind, name }) => `${kind} "${name}"`).join(", ") || "nothing"
  }`;
}
