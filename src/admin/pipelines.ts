import { Hono } from "hono";
import { apiError } from "./errors.ts";

/** What the API needs to know of a pipeline; all else is shown as it is. */
export interface PipelineView {
  id: string;
  status: string;
  /** What an operator wants of it. @default "running" */
  desired?: string;
}

/** Who knows the state of the pipelines, now. */
export interface PipelineSource {
  pipelines(): readonly PipelineView[];
}

/** `/api/v1/pipelines`: all of them, or one by its id. */
export function pipelineRoutes(source: PipelineSource): Hono {
  const app = new Hono();
  app.get("/", (context) => context.json(source.pipelines()));
  app.get("/:id", (context) => {
    const id = context.req.param("id");
    const pipeline = source.pipelines().find((pipeline) => pipeline.id === id);
    if (pipeline !== undefined) return context.json(pipeline);
    return apiError(context, 404, {
      code: "PipelineNotFound",
      message: `Unknown pipeline "${id}"`,
    });
  });
  return app;
}
