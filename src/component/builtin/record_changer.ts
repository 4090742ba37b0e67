import { Status } from "../../../ffi/layout.ts";
import { append, type EventInit } from "../../event/writer.ts";
import { EventView } from "../../expression/event_view.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { appendMarked, type OnError } from "./record_sorter.ts";

/**
 * A processor that makes of each event another one, with its sequence and source; or none, where `change` gives undefined.
 * What `change` throws is treated as `onError` says, and counted in the metric `errors`.
 */
export function changeRecords(
  context: BuiltinContext,
  change: (view: EventView) => EventInit | undefined,
  { onError, errors }: { onError: OnError; errors: string },
): BuiltinComponent {
  const view = new EventView(context.sources);
  const countErrors = context.metrics.counter(errors);
  return {
    process(batch) {
      const { reader } = view.open(batch, batch.cursor);
      const out = batch.outputs[0]!;
      while (view.next()) {
        let fits: boolean;
        try {
          const event = change(view);
          fits = event === undefined || append(out, event, reader);
        } catch (error) {
          const { message } = error as Error;
          if (onError === "dead_letter") {
            countErrors();
            context.explain(message);
            batch.done = reader.index;
            return Status.INVALID;
          }
          fits = onError === "drop" || appendMarked(out, reader, message);
          if (fits) countErrors();
        }
        if (fits) continue;
        batch.cursor = reader.offset;
        return Status.MORE;
      }
      if (reader.malformed === "") return Status.OK;
      batch.done = reader.index + 1;
      return Status.INVALID;
    },
  };
}
