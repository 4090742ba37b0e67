import {
  type ASTNode,
  type Environment,
  EvaluationError,
  type ParseResult,
} from "@marcbachmann/cel-js";
import { environmentOf, EVENT_VARIABLES, type VariableName } from "./environment.ts";
import { explain, ExpressionError, inWords } from "./errors.ts";
import type { EventView } from "./event_view.ts";
import { isTimePart, wallTime } from "./time_parts.ts";
import { CONVERSIONS, type Results, type Wanted } from "./results.ts";

export { ExpressionError } from "./errors.ts";
export type { VariableName } from "./environment.ts";
export type { Results, Wanted } from "./results.ts";

export interface ExpressionOptions {
  /** Variables other than an event's, with their types in CEL. */
  variables?: Readonly<Record<string, string>>;
  /** The name of the setting, for messages about events: `set.user.name`. */
  setting?: string;
}

/** A compiled expression. */
export interface Expression<T> {
  readonly text: string;
  /** Its type in CEL; `dyn` where only the event tells. */
  readonly type: string;
  /** The variables of events that it reads; none: it is a constant. */
  readonly reads: ReadonlySet<VariableName>;
  /** Its value for the event that `view` stands on. Throws an Error that says what is wrong with the event. */
  evaluate(view: EventView): T;
  /** Its value for the variables that it was compiled with; whole numbers may be `number`. */
  evaluateWith(values: Readonly<Record<string, unknown>>): T;
}

/**
 * Compiles an expression in CEL whose value is to be of a kind. See docs/expressions.md for the variables and functions.
 * @throws ExpressionError for anything that can be found without an event
 */
export function compileExpression<W extends Wanted>(
  text: string,
  wanted: W,
  { variables, setting }: ExpressionOptions = {},
): Expression<Results[W]> {
  const environment = environmentOf(variables);
  let parsed: ParseResult;
  let type: string | undefined;
  try {
    parsed = environment.parse(text);
    const checked = parsed.check();
    if (checked.error !== undefined) throw checked.error;
    type = checked.type;
  } catch (error) {
    throw explain(error, text, environment);
  }
  checkConstants(parsed.ast, environment);
  const { types, words, convert } = CONVERSIONS[wanted];
  if (types !== undefined && !types.includes(type!)) {
    const message = `Expected ${words}, this gives ${type}`;
    throw new ExpressionError(message, 0, text.length);
  }
  const integers = Object.entries(variables ?? {}).filter(([, of]) => of === "int")
    .map(([name]) => name);
  const run = (context: object): Results[W] => {
    try {
      return convert(parsed(context));
    } catch (error) {
      const message = messageOf(error);
      throw new Error(setting === undefined ? message : `Cannot evaluate ${setting}: ${message}`);
    }
  };
  const reads = readsOf(parsed.ast);
  if (![...partsOf(parsed.ast)].some(({ op }) => op === "id")) {
    // What is the same for every event fails for every one.
    failAt({ start: 0, end: text.length }, () => convert(parsed()));
  }
  return {
    text,
    type: type!,
    reads,
    evaluate: run,
    evaluateWith(values) {
      const context: Record<string, unknown> = { ...values };
      for (const name of integers) {
        const value = context[name];
        if (typeof value === "number") context[name] = BigInt(value);
      }
      return run(context);
    },
  };
}

/** Every part of a tree, from the outside in. */
function* partsOf(node: unknown): Generator<ASTNode> {
  if (Array.isArray(node)) { for (const part of node) yield* partsOf(part); }
  if (typeof node !== "object" || node === null || !("op" in node)) return;
  yield node as ASTNode;
  yield* partsOf((node as ASTNode).args);
}

function readsOf(ast: ASTNode): Set<VariableName> {
  const reads = new Set<VariableName>();
  for (const { op, args } of partsOf(ast)) {
    if (op === "id" && Object.hasOwn(EVENT_VARIABLES, args)) reads.add(args as VariableName);
  }
  return reads;
}

/** Calls with nothing but constants, and patterns and time zones that are written out, are wrong for every event or for none. */
function checkConstants(ast: ASTNode, environment: Environment): void {
  for (const part of partsOf(ast)) {
    if (part.op === "call" && part.args[1].every(({ op }) => op === "value")) {
      failAt(part, () => environment.evaluate(part.input.slice(part.start, part.end)));
    }
    if (part.op !== "rcall") continue;
    const [name, , [pattern]] = part.args;
    if (pattern?.op !== "value" || typeof pattern.args !== "string") continue;
    const { args } = pattern;
    if (name === "matches") failAt(pattern, () => new RegExp(args));
    if (name === "extract") failAt(pattern, () => new RegExp(args, "u"));
    if (isTimePart(name)) failAt(pattern, () => wallTime(new Date(0), args));
  }
}

function failAt({ start, end }: { start: number; end: number }, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw new ExpressionError(messageOf(error), start, end);
  }
}

/** The library's own message shows the expression as well, which those who read it know. */
function messageOf(error: unknown): string {
  return error instanceof EvaluationError ? inWords(error.summary) : (error as Error).message;
}
