import { Hono } from "hono";
import {
  type Actor,
  type HostControl,
  PIPELINE_ACTIONS,
  PLUGIN_ACTIONS,
  SERVICE_ACTIONS,
} from "./control.ts";
import { localOnly } from "./local_only.ts";
import { pageOf } from "./page.ts";

/** `POST /api/v1/plugins/:name/ACTION` */
export function pluginActionRoutes(control: HostControl, who: Actor): Hono {
  const app = new Hono();
  for (const action of PLUGIN_ACTIONS) {
    app.post(
      `/:name/${action}`,
      localOnly(who),
      async (context) => context.json(await control.plugin(context.req.param("name"), action, who)),
    );
  }
  return app;
}

/** `POST /api/v1/pipelines/:id/ACTION` */
export function pipelineActionRoutes(control: HostControl, who: Actor): Hono {
  const app = new Hono();
  for (const action of PIPELINE_ACTIONS) {
    app.post(
      `/:id/${action}`,
      localOnly(who),
      async (context) => context.json(await control.pipeline(context.req.param("id"), action, who)),
    );
  }
  return app;
}

/** `POST /api/v1/services/:id/ACTION` */
export function serviceActionRoutes(control: HostControl, who: Actor): Hono {
  const app = new Hono();
  for (const action of SERVICE_ACTIONS) {
    app.post(
      `/:id/${action}`,
      localOnly(who),
      async (context) => context.json(await control.service(context.req.param("id"), action, who)),
    );
  }
  return app;
}

/** `GET /api/v1/audit` */
export function auditRoutes(control: HostControl): Hono {
  const app = new Hono();
  app.get("/", (context) => context.json(control.audit(pageOf(context))));
  return app;
}
