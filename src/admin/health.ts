import { Hono } from "hono";
import { apiError } from "./errors.ts";
import type { PipelineSource } from "./pipelines.ts";

const READY = ["running", "reloading", "completed", "disabled"];

/** `/healthz`: the host lives. `/readyz`: every enabled pipeline runs, has completed, or is not to run. */
export function healthRoutes(source: PipelineSource): Hono {
  const app = new Hono();
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  app.get("/readyz", (context) => {
    const waiting = source.pipelines()
      .filter(({ status, desired = "running" }) => desired === "running" && !READY.includes(status))
      .map(({ id, status }) => ({ id, status }));
    if (waiting.length === 0) return context.json({ status: "ready" });
    const names = waiting.map(({ id, status }) => `"${id}" is ${status}`).join(", ");
    return apiError(context, 503, {
      code: "NotReady",
      message: `Not every enabled pipeline runs: ${names}`,
      pipelines: waiting,
    });
  });
  return app;
}
