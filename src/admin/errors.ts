import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** The body of every answer that is an error. */
export interface ApiError {
  /** `code` is stable, for programs; `message` is for people. */
  error: { code: string; message: string };
}

/** An answer that says what is wrong; `more` stands beside the error. */
export function apiError(
  context: Context,
  status: ContentfulStatusCode,
  { code, message, ...more }: ApiError["error"] & Record<string, unknown>,
): Response {
  return context.json({ error: { code, message }, ...more }, status);
}
