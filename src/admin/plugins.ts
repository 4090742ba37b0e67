import { Hono } from "hono";

/** A plugin as the API shows it. */
export interface PluginView {
  name: string;
  /** Null where the manifest could not be read, as with all that it says. */
  version: string | null;
  description: string | null;
  /** Where the operator put it; null for the built-in one. */
  path: string | null;
  /** SHA-256 of the library. */
  digest: string | null;
  enabled: boolean;
  target: string | null;
  /** A language runtime that fits into a process once. */
  runtime: string | null;
  components: { kind: string; name: string; description: string | null }[];
  /** Why it is refused, where it is. */
  verdict: { ok: boolean; problems: { code: string; message: string }[] };
  warnings: readonly string[];
  /** Ids of the enabled pipelines that run it. */
  usedBy: string[];
}

/** Who knows the plugins. */
export interface PluginSource {
  plugins(): readonly PluginView[];
}

/** `/api/v1/plugins`: those that may be used and those that are refused. */
export function pluginRoutes(source: PluginSource): Hono {
  const app = new Hono();
  app.get("/", (context) => context.json(source.plugins()));
  return app;
}
