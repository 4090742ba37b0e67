import { type Context, Hono } from "hono";
import { z } from "zod";
import type { LetterQuery } from "../store/letter_box.ts";
import { type Actor, ControlError, type HostControl } from "./control.ts";
import { letterSummary, letterView } from "./letter_view.ts";
import { localOnly } from "./local_only.ts";
import { pageOf } from "./page.ts";

const LETTER_ID = /^(\d+-)?\d{1,15}$/;

const time = z.iso.datetime({ offset: true }).or(z.iso.date()).transform((text) =>
  Date.parse(text)
);

const query = z.strictObject({
  ids: z.array(z.string().regex(LETTER_ID)).min(1).max(10_000),
  component: z.string().min(1),
  code: z.string().min(1),
  source: z.string().min(1),
  before: time,
  after: time,
}).partial();

/** Which letters a change is meant for. `all` has to be said, so that an empty body is no disaster. */
const selection = query.extend({ all: z.literal(true).optional() }).refine(
  (given) => Object.keys(given).length > 0,
  'name "ids" or a filter, or say "all": true',
);

/** `/api/v1/pipelines/:id/dead-letters` */
export function deadLetterRoutes(control: HostControl, who: Actor): Hono {
  const app = new Hono();
  app.get("/:id/dead-letters", (context) => {
    const { limit: _, offset: __, ...filter } = context.req.query();
    const { total, letters } = control.letters(
      context.req.param("id"),
      parse(query, filter) as LetterQuery,
      { ...pageOf(context), view: letterSummary },
    );
    return context.json({ total, letters });
  });
  app.get("/:id/dead-letters/:letter", (context) => {
    const { id, letter } = context.req.param();
    const found = LETTER_ID.test(letter)
      ? control.letters(id, { ids: [letter] }, { limit: 1, offset: 0, view: letterView }).letters[0]
      : undefined;
    if (found !== undefined) return context.json(found);
    throw new ControlError(
      404,
      "DeadLetterNotFound",
      `Pipeline "${id}" has no dead letter "${letter}"`,
    );
  });
  app.post("/:id/dead-letters/replay", localOnly(who), async (context) => {
    const chosen = await readSelection(context);
    return context.json({ count: control.replayLetters(context.req.param("id"), chosen, who) });
  });
  app.post("/:id/dead-letters/drop", localOnly(who), async (context) => {
    const chosen = await readSelection(context);
    return context.json({ count: control.dropLetters(context.req.param("id"), chosen, who) });
  });
  return app;
}

async function readSelection(context: Context): Promise<LetterQuery> {
  let body: unknown;
  try {
    body = await context.req.json();
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new ControlError(400, "BadRequest", `Cannot read the body as JSON: ${reason}`);
  }
  const { all: _, ...chosen } = parse(selection, body);
  return chosen as LetterQuery;
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue!.path.length > 0 ? ` at "${issue!.path.join(".")}"` : "";
  throw new ControlError(
    400,
    "BadRequest",
    `Cannot read the filter${place}: ${issue!.message}; see docs/http-api.md`,
  );
}
