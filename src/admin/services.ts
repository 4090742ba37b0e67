import { Hono } from "hono";
import { apiError } from "./errors.ts";

/** What the API needs to know of a service; all else is shown as it is. */
export interface ServiceView {
  id: string;
  /** "http hook" for what `http.hooks` has. */
  kind: string;
  status: string;
  /** What an operator wants of it. @default "running" */
  desired?: string;
}

/** Who knows services and the data-plane listener. */
export interface ServiceSource {
  services(): readonly ServiceView[];
  http(): unknown;
}

/** `/api/v1/services`, all of them or one by its id, and `/api/v1/http`. */
export function serviceRoutes(source: ServiceSource): Hono {
  const app = new Hono();
  app.get("/services", (context) => context.json(source.services()));
  app.get("/services/:id", (context) => {
    const id = context.req.param("id");
    const service = source.services().find((one) => nameOf(one) === id);
    if (service !== undefined) return context.json(service);
    return apiError(context, 404, { code: "ServiceNotFound", message: `Unknown service "${id}"` });
  });
  app.get("/http", (context) => context.json(source.http()));
  return app;
}

/** What a request names it by: a hook may have the id of a service. */
function nameOf({ id, kind }: ServiceView): string {
  return kind === "http hook" ? `hook:${id}` : id;
}
