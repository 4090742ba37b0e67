import { compileExpression } from "../../expression/expression.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { type OnError, RecordSorter } from "./record_sorter.ts";

const OUT = 0;
const REJECTED = 1;

interface Settings {
  where: string;
  on_error: OnError;
}

/** Passes on the events that a condition holds for. */
export function filter(context: BuiltinContext): BuiltinComponent {
  const { where, on_error } = context.config as unknown as Settings;
  const condition = compileExpression(where, "bool", { setting: "where" });
  const sorter = new RecordSorter(context, on_error);
  return {
    process: (batch) => sorter.process(batch, (view) => condition.evaluate(view) ? OUT : REJECTED),
  };
}
