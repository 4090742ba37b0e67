import { getLogger } from "@logtape/logtape";
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import { apiError } from "./errors.ts";
import { guard } from "./guard.ts";
import { healthRoutes } from "./health.ts";
import { pipelineRoutes, type PipelineSource } from "./pipelines.ts";
import { pluginRoutes, type PluginSource } from "./plugins.ts";

/** What the API shows, and where it does. */
export interface AdminOptions {
  pipelines: PipelineSource;
  plugins: PluginSource;
  /** The address that the server listens on. */
  host: string;
}

/** The admin API. Answers are JSON; nothing is cached; see `docs/http-api.md`. */
export function createApp({ pipelines, plugins, host }: AdminOptions): Hono {
  const app = new Hono();
  app.use(secureHeaders({
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    referrerPolicy: "no-referrer",
    strictTransportSecurity: false,
    xFrameOptions: "DENY",
  }));
  app.use(async ({ header }, next) => {
    header("Cache-Control", "no-store");
    await next();
  });
  app.use(guard(host));
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed(context, methods) {
      context.header("Allow", methods.join(", "));
      return apiError(context, 405, {
        code: "MethodNotAllowed",
        message: `Cannot ${context.req.method} "${context.req.path}": allowed are ${
          methods.join(", ")
        }`,
      });
    },
  }));
  app.route("/", healthRoutes(pipelines));
  app.route("/api/v1/pipelines", pipelineRoutes(pipelines));
  app.route("/api/v1/plugins", pluginRoutes(plugins));
  app.notFound((context) =>
    apiError(context, 404, { code: "NotFound", message: `Nothing is at "${context.req.path}"` })
  );
  app.onError((error, context) => {
    getLogger(["busbar", "admin"]).error("Cannot answer {method} {path}: {error}", {
      method: context.req.method,
      path: context.req.path,
      error,
    });
    return apiError(context, 500, {
      code: "Internal",
      message: `Cannot answer ${context.req.method} "${context.req.path}": see busbar's log`,
    });
  });
  return app;
}
