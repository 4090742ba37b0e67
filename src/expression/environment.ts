/** What an expression can name: the variables of an event, and the functions beside those of CEL itself. */
import { Environment } from "@marcbachmann/cel-js";
import { registerFunctions } from "./functions.ts";
import { replaceTimeParts } from "./time_parts.ts";

/** The variables of an event and their types in CEL. */
export const EVENT_VARIABLES = {
  payload: "dyn",
  text: "string",
  key: "string",
  attributes: "map<string, string>",
  operation: "string",
  content_type: "string",
  source: "string",
  sequence: "int",
  timestamp: "google.protobuf.Timestamp",
  size: "int",
  marked: "bool",
} as const;

export type VariableName = keyof typeof EVENT_VARIABLES;

/** Levels of lists and maps that the type of a value is told for. */
const DEEPEST_TYPE = 4;

let base: Environment | undefined;
let forEvents: Environment | undefined;

/** The environment for expressions over events, or, with `variables` (name to CEL type), over those alone. */
export function environmentOf(variables?: Readonly<Record<string, string>>): Environment {
  base ??= newBase();
  if (variables === undefined) return forEvents ??= withVariables(base, EVENT_VARIABLES);
  return withVariables(base, variables);
}

function newBase(): Environment {
  limitTypes();
  return registerFunctions(
    new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true }),
  );
}

/** What evaluates expressions inside the library. */
interface Evaluator {
  debugType(value: unknown): unknown;
  debugTypeDeep(value: unknown): unknown;
}

/**
 * Has the library tell the types of values to a few levels only. It keeps every type that it has seen for ever, and an event
 * can be nested in more ways than there is memory.
 */
function limitTypes(): void {
  let found: Evaluator | undefined;
  const probe = function (this: Evaluator) {
    found = this;
    return true;
  };
  new Environment().registerFunction("probe(): bool", probe, { async: false }).evaluate("probe()");
  const evaluators = Object.getPrototypeOf(found) as Evaluator;
  const { debugTypeDeep } = evaluators;
  let depth = 0;
  evaluators.debugTypeDeep = function (value) {
    if (typeof value !== "object" || value === null || depth >= DEEPEST_TYPE) {
      return this.debugType(value);
    }
    depth++;
    try {
      return debugTypeDeep.call(this, value);
    } finally {
      depth--;
    }
  };
}

function withVariables(
  environment: Environment,
  variables: Readonly<Record<string, string>>,
): Environment {
  const result = environment.clone();
  for (const [name, type] of Object.entries(variables)) result.registerVariable(name, type);
  // A clone begins with those of the library.
  replaceTimeParts(result);
  return result;
}
