import type { EventView } from "../../expression/event_view.ts";
import { compileExpression } from "../../expression/expression.ts";
import { toJsonText } from "../../expression/json_value.ts";
import {
  type Accumulator,
  Average,
  Chosen,
  Combined,
  Count,
  Distinct,
  List,
  Percentile,
} from "./window_accumulators.ts";

/** One of `aggregates`: a function's name with the expression that it is of. */
export type AggregateSettings = Partial<Record<FunctionName, string | boolean>> & {
  p?: number;
  limit?: number;
};

type FunctionName = keyof typeof FUNCTIONS;

/** An aggregate as it is set. */
export interface Aggregate {
  readonly name: string;
  /** Its type in CEL. */
  readonly type: string;
  /** What it takes of an event. Throws where the event has not got it. */
  valueOf(view: EventView): unknown;
  /** What it keeps of a window. */
  start(): Accumulator;
}

interface Limits {
  p: number;
  limit: number;
}

const sum = (a: number, b: number) => a + b;
const isEarlier = (at: number, best: number) => at < best;
const isNotEarlier = (at: number, best: number) => at >= best;

/** What the expression has to give, the type of the aggregate in CEL, and what is kept of a window. */
const FUNCTIONS = {
  count: { wanted: "bool", type: "int", start: () => new Count() },
  sum: { wanted: "number", type: "double", start: () => new Combined(sum) },
  avg: { wanted: "number", type: "double", start: () => new Average() },
  min: { wanted: "number", type: "double", start: () => new Combined(Math.min) },
  max: { wanted: "number", type: "double", start: () => new Combined(Math.max) },
  percentile: { wanted: "number", type: "double", start: ({ p }: Limits) => new Percentile(p) },
  first: { wanted: "any", type: "dyn", start: () => new Chosen(isEarlier) },
  last: { wanted: "any", type: "dyn", start: () => new Chosen(isNotEarlier) },
  distinct: { wanted: "any", type: "int", start: ({ limit }: Limits) => new Distinct(limit) },
  collect: { wanted: "any", type: "list<dyn>", start: ({ limit }: Limits) => new List(limit) },
} as const;

export function makeAggregate(name: string, settings: AggregateSettings): Aggregate {
  const of = Object.keys(FUNCTIONS).find((one) => one in settings) as FunctionName;
  const { wanted, type, start } = FUNCTIONS[of];
  const setting = `aggregates.${name}.${of}`;
  const expression = compileExpression(String(settings[of]), wanted, { setting });
  const limits = { p: 50, limit: 1000, ...settings };
  const valueOf = (view: EventView): unknown => {
    const value = expression.evaluate(view);
    if (wanted === "any") return toJsonText(value);
    if (wanted === "number" && !Number.isFinite(value)) {
      throw new Error(`Cannot use ${setting}: it gives ${value}`);
    }
    return value;
  };
  return { name, type, valueOf, start: () => start(limits) };
}
