import { getLogger } from "@logtape/logtape";
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import { StoreError } from "../store/errors.ts";
import {
  auditRoutes,
  pipelineActionRoutes,
  pluginActionRoutes,
  serviceActionRoutes,
} from "./actions.ts";
import { type Actor, ControlError, type HostControl } from "./control.ts";
import { deadLetterRoutes } from "./dead_letters.ts";
import { apiError } from "./errors.ts";
import { executeRoutes } from "./execute.ts";
import { guard } from "./guard.ts";
import { healthRoutes } from "./health.ts";
import { pipelineRoutes, type PipelineSource } from "./pipelines.ts";
import { pluginRoutes, type PluginSource } from "./plugins.ts";
import { serviceRoutes, type ServiceSource } from "./services.ts";

/** What the API shows, and where it does. */
export interface AdminOptions {
  pipelines: PipelineSource;
  plugins: PluginSource;
  services?: ServiceSource;
  /** What carries out changes; without it there are none. */
  control?: HostControl;
  /** By which way requests come. @default "http" */
  who?: Actor;
  /** The address that the server listens on. */
  host: string;
}

/** Seconds after which it makes sense to ask again. */
const RETRY_AFTER = "1";

const STORE_STATUS: Partial<Record<StoreError["code"], 503 | 507>> = { Full: 507, Busy: 503 };

/** The admin API. Answers are JSON; nothing is cached; see `docs/http-api.md`. */
export function createApp(
  { pipelines, plugins, services, control, who = "http", host }: AdminOptions,
): Hono {
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
  app.route("/", healthRoutes(pipelines, services));
  app.route("/api/v1/pipelines", pipelineRoutes(pipelines));
  app.route("/api/v1/plugins", pluginRoutes(plugins));
  if (services !== undefined) app.route("/api/v1", serviceRoutes(services));
  if (control !== undefined) {
    app.route("/api/v1/pipelines", pipelineActionRoutes(control, who));
    app.route("/api/v1/pipelines", deadLetterRoutes(control, who));
    app.route("/api/v1/services", serviceActionRoutes(control, who));
    app.route("/api/v1/plugins", pluginActionRoutes(control, who));
    app.route("/api/v1/plugins", executeRoutes(control, who));
    app.route("/api/v1/audit", auditRoutes(control));
  }
  app.notFound((context) =>
    apiError(context, 404, { code: "NotFound", message: `Nothing is at "${context.req.path}"` })
  );
  app.onError((error, context) => {
    if (error instanceof ControlError) {
      const { status, code, message } = error;
      if (status === 429 || status === 503) context.header("Retry-After", RETRY_AFTER);
      return apiError(context, status, { code, message });
    }
    if (error instanceof StoreError) {
      const { code, message } = error;
      return apiError(context, STORE_STATUS[code] ?? 500, { code: `Store${code}`, message });
    }
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
