import { compileExpression } from "../../expression/expression.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { type OnError, RecordSorter } from "./record_sorter.ts";

/** Before the outputs of the routes, in their order. */
const ELSE = 0;

interface Settings {
  routes: Record<string, string>;
  mode: "first" | "all";
  on_error: OnError;
}

/** Sends events to outputs by conditions. */
export function route(context: BuiltinContext): BuiltinComponent {
  const { routes, mode, on_error } = context.config as unknown as Settings;
  const conditions = Object.entries(routes).map(([name, text]) =>
    compileExpression(text, "bool", { setting: `routes.${name}` })
  );
  const sorter = new RecordSorter(context, on_error);
  if (mode === "first") {
    return {
      process: (batch) =>
        // -1, where none holds, comes to ELSE.
        sorter.process(batch, (view) => 1 + conditions.findIndex((one) => one.evaluate(view))),
    };
  }
  return {
    process: (batch) =>
      sorter.processAll(batch, (view, send) => {
        // All are asked before any is served: one that fails leaves the event unsent.
        const holding = conditions.map((one) => one.evaluate(view));
        if (!holding.includes(true)) send(ELSE);
        for (const [index, holds] of holding.entries()) if (holds) send(1 + index);
      }),
  };
}
