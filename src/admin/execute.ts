import { type Context, Hono } from "hono";
import { parseDuration } from "../config/units.ts";
import { BodyError, readBody } from "../http/read_body.ts";
import { type Actor, ControlError, type HostControl } from "./control.ts";
import { localOnly } from "./local_only.ts";

/** Longest that an input may take to arrive. */
const BODY_MS = 30_000;

/** `POST /api/v1/plugins/:id/execute`: the body is the input. */
export function executeRoutes(control: HostControl, who: Actor): Hono {
  const app = new Hono();
  app.post("/:id/execute", localOnly(who), async (context) => {
    const id = context.req.param("id");
    const { maxInput } = control.serviceLimits(id);
    const input = await readInput(context, maxInput);
    const timeoutMs = timeoutOf(context);
    const type = context.req.header("content-type");
    const outcome = await control.execute(id, {
      input,
      ...(type !== undefined && { contentType: type }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    const { plugin, output, contentType, durationMs } = outcome;
    if (context.req.header("accept") === "application/octet-stream") {
      context.header("Content-Type", "application/octet-stream");
      context.header("Busbar-Duration-Ms", `${durationMs}`);
      return context.body(output as Uint8Array<ArrayBuffer>);
    }
    return context.json({ plugin, ...shown(output, contentType), durationMs });
  });
  return app;
}

async function readInput({ req }: Context, max: number): Promise<Uint8Array> {
  try {
    return await readBody(req.raw, { max, ms: BODY_MS });
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    const status =
      ({ too_long: 413, too_slow: 408, broken: 400, no_room: 503 } as const)[error.problem];
    const code = status === 413 ? "InputTooLarge" : "BadRequest";
    throw new ControlError(status, code, `Cannot execute: ${lower(error.message)}`);
  }
}

function timeoutOf({ req }: Context): number | undefined {
  const text = req.query("timeout");
  if (text === undefined) return undefined;
  try {
    const ms = parseDuration(text);
    if (ms > 0) return ms;
  } catch {
    // Said below.
  }
  throw new ControlError(
    400,
    "BadRequest",
    `Cannot read timeout "${text}": expected one such as 5s`,
  );
}

/** JSON as it is, text as a string, anything else in base64. */
function shown(
  output: Uint8Array,
  contentType: string | undefined,
): { output: unknown; encoding?: "base64" } {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(output);
    if (!/^application\/([^;]*\+)?json\b/.test(contentType ?? "")) return { output: text };
    try {
      return { output: JSON.parse(text) };
    } catch {
      return { output: text };
    }
  } catch {
    return { output: output.toBase64(), encoding: "base64" };
  }
}

function lower(text: string): string {
  return text[0]!.toLowerCase() + text.slice(1);
}
