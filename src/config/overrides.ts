import type { Diagnostic } from "./diagnostic.ts";
import { configSchema } from "./schema.ts";
import { type Shape, shapeAt } from "./schema_walk.ts";
import { type ConfigSource, formatPath } from "./source.ts";
import { didYouMean } from "./suggest.ts";

/** One scalar that replaces what the file says. */
export interface Override {
  /** The variable or flag that sets it, as messages show it. */
  origin: string;
  segments: string[];
  value: string | number | boolean;
  /** Segments match keys without regard to case, and `_` matches `-`. */
  folded?: boolean;
}

/** A dedicated flag, such as `{ flag: "--port", path: "server.port", value: 8080 }`. */
export interface FlagOverride {
  flag: string;
  path: string;
  value: string | number | boolean;
}

/** Variables of the CLI as a client, which are no settings. */
const CLIENT_VARIABLES = new Set(["BUSBAR_URL", "BUSBAR_TOKEN"]);
const PREFIX = "BUSBAR_";

/** `BUSBAR_A__B__C=value`, by name. */
export function environmentOverrides(
  env: Readonly<Record<string, string | undefined>>,
): Override[] {
  return Object.keys(env).sort()
    .filter((name) => name.startsWith(PREFIX) && !CLIENT_VARIABLES.has(name))
    .flatMap((name) => {
      const value = env[name];
      if (value === undefined) return [];
      const segments = name.slice(PREFIX.length).split("__");
      return [{ origin: name, segments, value, folded: true }];
    });
}

/** `--set a.b.c=value`, in the order given. */
export function setOverrides(sets: readonly string[]): Override[] {
  return sets.map((text) => {
    const equals = text.indexOf("=");
    if (equals < 0) return { origin: `--set ${text}`, segments: [], value: "" };
    const path = text.slice(0, equals).trim();
    return { origin: `--set ${path}`, segments: path.split("."), value: text.slice(equals + 1) };
  });
}

/** Dedicated flags, which come last and win. */
export function flagOverrides(flags: readonly FlagOverride[]): Override[] {
  return flags.map(({ flag, path, value }) => ({
    origin: flag,
    segments: path.split("."),
    value,
  }));
}

/** Puts the overrides into the tree, later ones over earlier ones, and says which cannot be. */
export function applyOverrides(
  source: ConfigSource,
  tree: Record<string, unknown>,
  overrides: readonly Override[],
): Diagnostic[] {
  return overrides.flatMap((override) => {
    const fault = apply(source, tree, override);
    return fault === undefined ? [] : [{
      severity: "error",
      file: override.origin,
      path: fault.path,
      message: fault.message,
      ...(fault.suggestion === undefined ? {} : { suggestion: fault.suggestion }),
    }];
  });
}

interface Fault {
  path: string;
  message: string;
  suggestion?: string | undefined;
}

function apply(
  source: ConfigSource,
  tree: Record<string, unknown>,
  { origin, segments, value, folded = false }: Override,
): Fault | undefined {
  if (segments.length === 0) {
    return { path: "", message: "Cannot read override: expected path=value" };
  }
  let parent = tree;
  const path: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const shape = shapeAt(configSchema, path);
    const step = resolveKey(shape, segment, { parent, path, folded });
    if (typeof step !== "string") {
      return { ...step, suggestion: kubernetes(origin, value) ?? step.suggestion };
    }
    path.push(step);
    if (index === segments.length - 1) break;
    const child = Object.hasOwn(parent, step) ? parent[step] : undefined;
    if (child === undefined || child === null) {
      parent[step] = {};
      if (!source.has(path)) source.record(path, { origin });
    } else if (typeof child !== "object" || Array.isArray(child)) {
      const where = formatPath(path);
      return {
        path: where,
        message: `Cannot override inside ${where}: it holds a single value or a list`,
      };
    }
    parent = parent[step] as Record<string, unknown>;
  }
  const name = path.at(-1)!;
  const fault = checkTarget(path, Object.hasOwn(parent, name) ? parent[name] : undefined);
  if (fault !== undefined) return fault;
  parent[name] = value;
  source.record(path, { origin, loose: true });
  return undefined;
}

/** Only single values can be replaced. */
function checkTarget(path: string[], current: unknown): Fault | undefined {
  const where = formatPath(path);
  const shape = shapeAt(configSchema, path);
  if (shape?.kind === "list" || Array.isArray(current)) {
    return {
      path: where,
      message: `Cannot override ${where}: it is a list, only single values can be set`,
    };
  }
  const group = shape?.kind === "object" || shape?.kind === "record" ||
    (typeof current === "object" && current !== null) || isWholeConfig(path, shape);
  if (!group) return undefined;
  return {
    path: where,
    message: `Cannot override ${where}: it is a group of settings, only single values can be set`,
    suggestion: shape?.kind === "object" ? `there are: ${shape.keys.join(", ")}` : undefined,
  };
}

/** `config` itself is free inside, but is no single value. */
function isWholeConfig(path: string[], shape: Shape | undefined): boolean {
  return shape?.kind === "free" && shapeAt(configSchema, path.slice(0, -1))?.kind === "object";
}

interface Position {
  parent: Record<string, unknown>;
  path: string[];
  folded: boolean;
}

function resolveKey(
  shape: Shape | undefined,
  segment: string,
  { parent, path, folded }: Position,
): string | Fault {
  const where = path.length === 0 ? "" : ` in ${formatPath(path)}`;
  const fold = (name: string) => folded ? name.toLowerCase().replaceAll("-", "_") : name;
  const known = shape?.kind === "object" ? shape.keys : Object.keys(parent);
  const matches = known.filter((key) => fold(key) === fold(segment));
  if (matches.length > 1 && !matches.includes(segment)) {
    const list = matches.map((key) => `"${key}"`).join(" and ");
    return {
      path: formatPath(path),
      message: `Cannot tell what "${segment}" means${where}: it matches ${list}`,
    };
  }
  if (matches.length > 0) return matches.includes(segment) ? segment : matches[0]!;
  if (segment !== "" && segment !== "__proto__") {
    if (shape?.kind === "free") return folded ? segment.toLowerCase() : segment;
    if (shape?.kind === "record" && formatPath(path) === "plugins.use") {
      return folded ? segment.toLowerCase().replaceAll("_", "-") : segment;
    }
  }
  return {
    path: formatPath([...path, segment]),
    message: `Cannot override ${formatPath([...path, segment])}: unknown key "${segment}"${where}`,
    suggestion: didYouMean(segment, known),
  };
}

/** Kubernetes puts variables such as BUSBAR_SERVICE_HOST next to a service named "busbar". */
function kubernetes(origin: string, value: Override["value"]): string | undefined {
  const linked = /^BUSBAR_(SERVICE_(HOST|PORT)|PORT_\d)/.test(origin) ||
    (origin === "BUSBAR_PORT" && /^(tcp|udp|sctp):/.test(`${value}`));
  if (!linked) return undefined;
  return 'Kubernetes sets it for a service named "busbar": set enableServiceLinks: false in the pod';
}
