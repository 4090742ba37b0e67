import type { z } from "zod";
import { coerceText, replaceAt, typeInWords, valueAt, valueInWords } from "./coerce.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { ID_RULE } from "./fields.ts";
import { configSchema } from "./schema.ts";
import { shapeAt } from "./schema_walk.ts";
import { type ConfigSource, formatPath } from "./source.ts";
import { closest, didYouMean } from "./suggest.ts";

type Tree = Record<string, unknown>;
type Issue = z.core.$ZodIssue;

/**
 * Checks the tree against the schema and fills in defaults. Text that was put in is read as the
 * number or boolean wanted at its place, and an empty group (`plugins:`) as one without settings.
 */
export function checkSchema(
  source: ConfigSource,
  tree: Tree,
): { config?: z.output<typeof configSchema>; diagnostics: Diagnostic[] } {
  for (;;) {
    const result = configSchema.safeParse(tree);
    if (result.success) return { config: result.data, diagnostics: [] };
    const issues = result.error.issues.map(innermost);
    const repaired = issues.map((issue) => repair(source, tree, issue));
    if (repaired.includes(true)) continue;
    return { diagnostics: issues.flatMap((issue) => explain(source, tree, issue)) };
  }
}

/** Of a value that fits none of several forms, the fault in the form that it comes nearest to. */
function innermost(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.flat().find((nested) => nested.path.length > 0);
  return inner ? innermost({ ...inner, path: [...issue.path, ...inner.path] }) : issue;
}

function repair(source: ConfigSource, tree: Tree, issue: Issue): boolean {
  if (issue.code !== "invalid_type" || issue.path.length === 0) return false;
  const path = issue.path as (string | number)[];
  const value = valueAt(tree, path);
  let better: unknown;
  if (value === null && !source.place(path)?.faulty) {
    better = { object: {}, record: {}, array: [] }[issue.expected as string];
  } else if (typeof value === "string" && source.place(path)?.loose) {
    better = coerceText(value, [issue.expected]);
  }
  if (better === undefined) return false;
  replaceAt(tree, path, better);
  return true;
}

function explain(source: ConfigSource, tree: Tree, issue: Issue): Diagnostic[] {
  const path = issue.path as (string | number)[];
  if (source.place(path)?.faulty) return [];
  const where = formatPath(path);
  const value = valueAt(tree, path);
  const name = `${path.at(-1) ?? ""}`;
  // A whole group, or nothing at all, is better named by its key than underlined.
  const at = typeof value === "object" ? "key" : "value";
  if (issue.code === "unrecognized_keys") {
    const shape = shapeAt(configSchema, path);
    const known = shape?.kind === "object" ? shape.keys : [];
    return issue.keys.map((key) =>
      source.diagnostic(
        [...path, key],
        `Unknown key "${key}"${where === "" ? "" : ` in ${where}`}`,
        {
          suggestion: didYouMean(key, known),
          at: "key",
        },
      )
    );
  }
  if (value === undefined && !source.has(path)) {
    const parent = formatPath(path.slice(0, -1));
    return [source.diagnostic(path, `Missing "${name}" in ${parent}`)];
  }
  switch (issue.code) {
    case "invalid_key":
      return [
        source.diagnostic(
          path,
          `Cannot use the name "${name}" in ${formatPath(path.slice(0, -1))}`,
          {
            suggestion: ID_RULE,
            at: "key",
          },
        ),
      ];
    case "invalid_type":
      return [source.diagnostic(path, expected(typeInWords(issue.expected), where, value), { at })];
    case "invalid_union":
      return [source.diagnostic(path, expected(issue.message, where, value), { at })];
    case "invalid_value": {
      const options = issue.values.map(String);
      const near = typeof value === "string" ? closest(value, options) : undefined;
      const list = options.map((option) => `"${option}"`).join(", ");
      return [
        source.diagnostic(path, `Expected one of ${list} for ${where}`, {
          suggestion: near && `did you mean "${near}"?`,
        }),
      ];
    }
    case "too_small":
      return [source.diagnostic(path, bound(issue, "at least", "more than", issue.minimum, where))];
    case "too_big":
      return [source.diagnostic(path, bound(issue, "at most", "less than", issue.maximum, where))];
    case "invalid_format":
      return [
        source.diagnostic(
          path,
          `Cannot use this text for ${where}: it does not match ${issue.pattern}`,
        ),
      ];
    default:
      return [source.diagnostic(path, `${issue.message} (${where})`, { at })];
  }
}

function expected(what: string, where: string, value: unknown): string {
  return `Expected ${what} for ${where}, found ${valueInWords(value)}`;
}

function bound(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  inclusive: string,
  exclusive: string,
  limit: number | bigint,
  where: string,
): string {
  const words = issue.inclusive === false ? exclusive : inclusive;
  if (issue.origin === "string") return `Expected ${words} ${limit} characters for ${where}`;
  if (issue.origin === "array") {
    return `Expected ${words} ${limit} ${limit === 1 ? "entry" : "entries"} for ${where}`;
  }
  return `Expected ${words} ${limit} for ${where}`;
}
