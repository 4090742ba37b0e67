import { z } from "zod";
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from "./units.ts";

/** The longest a timer of the runtime can wait is 2^31 - 1 ms. */
const LONGEST_DURATION = "24d";

/** Limits of a measured field, as people write them. */
interface Bounds {
  least?: string;
  most?: string;
}

/** A field whose text is read by `parse` and must lie within bounds; messages name them as given. */
function measured(
  text: z.ZodType<string | number, string | number>,
  parse: (value: string | number) => number,
  { least = "0", most }: Bounds,
) {
  return text.transform((value, context) => {
    try {
      const result = parse(value);
      const wrong = result < parse(least)
        ? `at least ${least}`
        : most !== undefined && result > parse(most)
        ? `at most ${most}`
        : undefined;
      if (wrong === undefined) return result;
      context.addIssue(`Cannot use ${JSON.stringify(value)}: must be ${wrong}`);
    } catch (error) {
      context.addIssue((error as Error).message);
    }
    return z.NEVER;
  });
}

/** A duration with a unit, in the file `500ms`, for the program milliseconds. */
export function duration(bounds: Bounds = {}) {
  const text = z.union([z.string().meta({ pattern: DURATION_PATTERN }), z.literal(0)], {
    error: "a duration such as 500ms, 30s or 5m",
  });
  return measured(text, parseDuration, { most: LONGEST_DURATION, ...bounds });
}

/** A size with or without a unit, in the file `64MiB`, for the program bytes. */
export function size(bounds: Bounds = {}) {
  const text = z.union([z.string().meta({ pattern: SIZE_PATTERN }), z.int().min(0)], {
    error: "a size such as 64MiB, 10MB or a number of bytes",
  });
  return measured(text, parseSize, bounds);
}

/** What the words for pipelines, components and cells may be made of. */
export const ID_PATTERN = /^[a-z][a-z0-9_-]{0,62}$/;
export const ID_RULE =
  "a name is at most 63 lower-case letters, digits, - and _, and starts with a letter";

/** Named things, in the order of the file. */
export function named<T extends z.ZodType>(value: T) {
  return z.record(z.string().regex(ID_PATTERN), value);
}

/** Named things of which there must be one. */
export function atLeastOne<T extends z.ZodType>(value: T, what: string) {
  return named(value)
    .refine((all) => Object.keys(all).length > 0, {
      error: `A pipeline needs at least one ${what}`,
    })
    .meta({ minProperties: 1 });
}

/** One text or a list of them; always a list for the program. */
export function listOf<T extends z.ZodType<string, string>>(value: T) {
  return z.union([value, z.array(value).min(1)], { error: "a name or a list of names" })
    .transform((given) => typeof given === "string" ? [given] : given);
}
