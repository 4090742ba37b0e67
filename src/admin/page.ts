import type { Context } from "hono";
import { ControlError } from "./control.ts";

/** The longest page, so that no answer outgrows memory. */
const LIMIT_MAX = 1_000;

/** `limit` and `offset` of a request. @throws {ControlError} unless they are numbers in range */
export function pageOf(context: Context): { limit: number; offset: number } {
  return {
    limit: whole(context, { name: "limit", fallback: 100, most: LIMIT_MAX }),
    offset: whole(context, { name: "offset", fallback: 0, most: Number.MAX_SAFE_INTEGER }),
  };
}

function whole(
  context: Context,
  { name, fallback, most }: { name: string; fallback: number; most: number },
): number {
  const text = context.req.query(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new ControlError(
    400,
    "BadRequest",
    `Cannot read ${name} "${text}": expected a whole number up to ${most}`,
  );
}
