import { Hono } from "hono";
import { apiError } from "./errors.ts";
import type { ServiceSource } from "./services.ts";
import type { PipelineSource } from "./pipelines.ts";

const READY = ["running", "reloading", "completed", "disabled"];

function isAwaited({ status, desired = "running" }: { status: string; desired?: string }): boolean {
  return desired === "running" && !READY.includes(status);
}

/** `/healthz`: the host lives. `/readyz`: every enabled pipeline and service runs, has completed, or is not to run. */
export function healthRoutes(source: PipelineSource, services?: ServiceSource): Hono {
  const app = new Hono();
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  app.get("/readyz", (context) => {
    const waiting = source.pipelines().filter(isAwaited)
      .map(({ id, status }) => ({ id, status }));
    const others = (services?.services() ?? []).filter(isAwaited);
    waiting.push(...others.map(({ id, kind, status }) => ({ id: `${kind} ${id}`, status })));
    if (waiting.length === 0) return context.json({ status: "ready" });
    const names = waiting.map(({ id, status }) => `"${id}" is ${status}`).join(", ");
    return apiError(context, 503, {
      code: "NotReady",
      message: `Not everything that is enabled runs: ${names}`,
      pipelines: waiting,
    });
  });
  return app;
}
