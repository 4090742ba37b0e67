import type { Catalog } from "./catalog.ts";
import { type Diagnostic, hasErrors } from "./diagnostic.ts";
import type { LoadedConfig } from "./load.ts";
import type { ResolvedHook, ResolvedHttp, ResolvedPipeline, ResolvedRoute } from "./resolved.ts";
import type { HttpConfig } from "./schema.ts";
import { findUnit, makeUnit } from "./service_check.ts";
import { formatPath, type Path } from "./source.ts";
import { didYouMean } from "./suggest.ts";

const BUILTIN = "builtin";

/** What `http` comes to. */
interface HttpResolution {
  http?: ResolvedHttp;
  /** Hooks of plugins, as cells run them. */
  units: ResolvedPipeline[];
  diagnostics: Diagnostic[];
}

/** Checks `http` against the services and pipelines there are. */
export async function resolveHttp(
  loaded: LoadedConfig,
  catalog: Catalog,
  pipelines: readonly ResolvedPipeline[],
): Promise<HttpResolution> {
  const { http } = loaded.config;
  if (http === undefined) return { units: [], diagnostics: unreached(loaded, pipelines, []) };
  const { hooks, units, diagnostics } = await resolveHooks(loaded, catalog, http);
  const routes: ResolvedRoute[] = [];
  diagnostics.push(...shadowed(loaded, http.routes));
  for (const [index, route] of http.routes.entries()) {
    const path = ["http", "routes", index];
    const target = targetOf(loaded, pipelines, { route, path });
    if ("message" in target) diagnostics.push(target);
    diagnostics.push(...unknownHooks(loaded, hooks, { route, path }));
    if ("message" in target) continue;
    const wanted = route.hooks ?? hooks.map(({ id }) => id);
    routes.push({
      path: route.path,
      methods: route.method,
      target,
      hooks: hooks.map(({ id }) => id).filter((id) => wanted.includes(id)),
    });
  }
  diagnostics.push(...unreached(loaded, pipelines, routes), ...forgetful(loaded, pipelines));
  const { host, port, tls } = http.listen;
  const { header, body, time, requests, memory } = http.limits;
  return {
    http: {
      listen: { host, port, tls: tls ?? null },
      limits: {
        headerBytes: header,
        bodyBytes: body,
        timeMs: time,
        requests,
        memoryBytes: memory,
      },
      hooks,
      routes,
    },
    units,
    diagnostics,
  };
}

async function resolveHooks(loaded: LoadedConfig, catalog: Catalog, http: HttpConfig) {
  const hooks: ResolvedHook[] = [];
  const units: ResolvedPipeline[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const [index, config] of http.hooks.entries()) {
    if (!config.enabled) continue;
    const path = ["http", "hooks", index];
    const checked = await findUnit(loaded, catalog, { path, config, kind: "hook" });
    diagnostics.push(...checked.diagnostics);
    if (checked.found === undefined) continue;
    const { plugin, component, config: settings } = checked.found;
    const id = config.id ?? config.use.split("/")[1] ?? component.name;
    if (hooks.some((hook) => hook.id === id)) {
      const message = `Duplicate id "${id}" in ${formatPath(path)}: give one of them an id`;
      diagnostics.push(loaded.source.diagnostic(path, message));
      continue;
    }
    if (plugin.name === BUILTIN) {
      hooks.push({ id, index, hook: { builtin: component.name, config: settings } });
      continue;
    }
    const found = { found: checked.found, diagnostics: [] };
    const unit = makeUnit(loaded, found, { id, prefix: "hook", path, config });
    diagnostics.push(...found.diagnostics);
    if (!hasErrors([...checked.diagnostics, ...found.diagnostics])) units.push(unit);
    hooks.push({ id, index, hook: { unit: unit.id } });
  }
  return { hooks, units, diagnostics };
}

type LoadedParts = Pick<LoadedConfig, "source" | "config">;

interface RoutePlace {
  route: HttpConfig["routes"][number];
  path: Path;
}

function targetOf(
  { source, config }: LoadedConfig,
  pipelines: readonly ResolvedPipeline[],
  { route, path }: RoutePlace,
): ResolvedRoute["target"] | Diagnostic {
  if (route.source !== undefined) {
    return sourceOf({ source, config, pipelines }, { route, path });
  }
  const key = route.service === undefined ? "endpoint" : "service";
  const id = route[key]!;
  const where = [...path, key];
  if (!Object.hasOwn(config.services, id)) {
    return source.diagnostic(where, `Unknown service "${id}" in ${formatPath(where)}`, {
      suggestion: didYouMean(id, Object.keys(config.services)),
    });
  }
  const kind = pipelines.find((one) => one.id === `service:${id}`)?.components[0]?.kind;
  const wanted = key === "service" ? "service" : "hook";
  if (kind !== undefined && kind !== wanted) {
    const message = `Cannot use ${kind} "${id}" for ${formatPath(where)}: it needs a ${wanted}`;
    return source.diagnostic(where, message, {
      suggestion: `name it as ${key === "service" ? "endpoint" : "service"}`,
    });
  }
  return { call: key === "service" ? "execute" : "handle", unit: `service:${id}` };
}

function sourceOf(
  { source, config, pipelines }: LoadedParts & { pipelines: readonly ResolvedPipeline[] },
  { route, path }: RoutePlace,
): ResolvedRoute["target"] | Diagnostic {
  const where = [...path, "source"];
  const [pipeline = "", id = "", ...rest] = route.source!.split("/");
  const known = pipelines.flatMap(({ id: pipeline, components }) =>
    components.filter((one) => one.kind === "source" && takesRequests(one))
      .map(({ id }) => `${pipeline}/${id}`)
  );
  const found = pipelines.find((one) => one.id === pipeline)?.components
    .find((one) => one.id === id && one.kind === "source");
  const target = { call: "receive", pipeline, source: id } as const;
  // One with errors has been reported.
  if (found === undefined && config.pipelines[pipeline]?.sources[id] !== undefined) return target;
  if (found === undefined || rest.length > 0) {
    const message = `Unknown source "${route.source}" in ${formatPath(where)}`;
    return source.diagnostic(where, message, {
      suggestion: didYouMean(route.source!, known) ?? "name it as pipeline/component",
    });
  }
  if (!takesRequests(found)) {
    const message = `Cannot send requests to source "${route.source}" in ${formatPath(where)}: ` +
      `${found.plugin}/${found.component} takes none`;
    return source.diagnostic(where, message, { suggestion: "use builtin/http" });
  }
  return target;
}

function takesRequests({ plugin, component }: { plugin: string; component: string }): boolean {
  return plugin === BUILTIN && component === "http";
}

/** Sources that wait for requests in vain. */
function unreached(
  { source }: LoadedConfig,
  pipelines: readonly ResolvedPipeline[],
  routes: readonly ResolvedRoute[],
): Diagnostic[] {
  const reached = new Set(
    routes.map(({ target }) => "source" in target ? `${target.pipeline}/${target.source}` : ""),
  );
  return pipelines.filter(({ enabled }) => enabled).flatMap((pipeline) =>
    pipeline.components.filter((one) =>
      one.kind === "source" && takesRequests(one) && !reached.has(`${pipeline.id}/${one.id}`)
    ).map(({ id }) =>
      source.diagnostic(
        ["pipelines", pipeline.id, "sources", id],
        `No route leads to source "${id}" of pipeline "${pipeline.id}": it gets no events`,
        {
          severity: "warning",
          at: "key",
          suggestion: `add one to http.routes: { path: /${id}, source: ${pipeline.id}/${id} }`,
        },
      )
    )
  );
}

/** Sources that may give up what they have accepted. */
function forgetful(
  { source }: LoadedConfig,
  pipelines: readonly ResolvedPipeline[],
): Diagnostic[] {
  return pipelines.flatMap(({ id: pipeline, components }) =>
    components.filter(takesRequests).flatMap(({ id, buffer }) => {
      if ((buffer?.whenFull ?? "block") === "block") return [];
      const where = ["pipelines", pipeline, "sources", id, "buffer", "when_full"];
      const message = `Source "${id}" of pipeline "${pipeline}" answers 202 for events that ` +
        `"${buffer!.whenFull}" gives up when the buffer is full`;
      const suggestion = "leave when_full out: then it answers 429 or 503 until there is room";
      return [source.diagnostic(where, message, { severity: "warning", suggestion })];
    })
  );
}

/** Routes that never answer, because one before them has the same path and methods. */
function shadowed({ source }: LoadedConfig, routes: HttpConfig["routes"]): Diagnostic[] {
  const taken = new Map<string, number>();
  return routes.flatMap(({ path, method }, index) =>
    method.flatMap((one) => {
      // What a parameter is called makes no difference.
      const key = `${one} ${path.replace(/:\w+/g, ":")}`;
      const before = taken.get(key);
      if (before === undefined) {
        taken.set(key, index);
        return [];
      }
      const where = ["http", "routes", index];
      const message = `Cannot reach ${formatPath(where)}: ${one} "${path}" is answered by ` +
        formatPath(["http", "routes", before]);
      return [source.diagnostic([...where, "path"], message, { suggestion: "remove one of them" })];
    })
  );
}

function unknownHooks(
  { source }: LoadedConfig,
  hooks: readonly ResolvedHook[],
  { route, path }: RoutePlace,
): Diagnostic[] {
  const known = hooks.map(({ id }) => id);
  return (route.hooks ?? []).flatMap((id, index) => {
    if (known.includes(id)) return [];
    const where = [...path, "hooks", index];
    return [source.diagnostic(where, `Unknown hook "${id}" in ${formatPath(where)}`, {
      suggestion: didYouMean(id, known),
    })];
  });
}
