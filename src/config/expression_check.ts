import { valueAt } from "./coerce.ts";
import { expressionsIn } from "./component_schema.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { type ConfigSource, formatPath, type Path } from "./source.ts";
import { didYouMean } from "./suggest.ts";

type Json = Record<string, unknown>;

export interface ExpressionPlaces {
  /** The config_schema that says which settings are expressions. */
  schema: Json;
  /** Where a setting stands in the file. */
  locate: (keys: Path) => Path;
}

/** Compiles every setting that is an expression, and points at what is wrong inside it. */
export async function checkExpressions(
  source: ConfigSource,
  config: Json,
  { schema, locate }: ExpressionPlaces,
): Promise<Diagnostic[]> {
  const found = await expressionsIn(schema, config);
  if (found.length === 0) return [];
  // Configurations without expressions do without their library.
  const { compileExpression, ExpressionError } = await import("../expression/expression.ts");
  const diagnostics: Diagnostic[] = [];
  for (const { keys, wanted, variables } of found) {
    const text = valueAt(config, keys);
    if (typeof text !== "string") continue;
    try {
      compileExpression(text, wanted, variables === undefined ? {} : { variables });
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const path = locate(keys);
      const { start, end, unknown } = error;
      diagnostics.push(
        source.diagnosticIn(path, { text, start, end }, {
          message: `${error.message} in ${formatPath(path)}`,
          suggestion: unknown && didYouMean(unknown.name, unknown.known),
        }),
      );
    }
  }
  return diagnostics;
}
