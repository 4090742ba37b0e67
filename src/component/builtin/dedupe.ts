import { createHash } from "node:crypto";
import { parseDuration } from "../../config/units.ts";
import { compileExpression } from "../../expression/expression.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { type OnError, RecordSorter } from "./record_sorter.ts";
import { readEntries } from "./saved_entries.ts";
import { SeenLog } from "./seen_log.ts";

const OUT = 0;
const DUPLICATES = 1;
const STATE_VERSION = 1;
/** Longer keys are remembered by their SHA-256. */
const LONGEST_KEY = 128;

interface Settings {
  key: string;
  window: string;
  max_entries: number;
  on_error: OnError;
}

/** Passes on the first of events that are the same. */
export function dedupe(context: BuiltinContext): BuiltinComponent {
  const { key, window, max_entries, on_error } = context.config as unknown as Settings;
  const expression = compileExpression(key, "string", { setting: "key" });
  const sorter = new RecordSorter(context, on_error);
  const seen = new SeenLog({ ms: parseDuration(window), entries: max_entries });
  const countDuplicates = context.metrics.counter("duplicates_total");
  const countEvicted = context.metrics.counter("entries_evicted_total");
  const setEntries = context.metrics.gauge("entries");
  return {
    process(batch) {
      seen.advance(context.now());
      let duplicates = 0;
      const evicted = seen.evicted;
      const status = sorter.process(batch, (view) => {
        if (seen.add(nameOf(expression.evaluate(view)))) return OUT;
        duplicates++;
        return DUPLICATES;
      });
      if (duplicates > 0) countDuplicates(duplicates);
      if (seen.evicted > evicted) countEvicted(seen.evicted - evicted);
      setEntries(seen.size);
      return status;
    },
    save() {
      seen.advance(context.now());
      return { version: STATE_VERSION, data: seen.bytes() };
    },
    restore({ version, data }) {
      if (version !== STATE_VERSION) throw new Error(`Cannot read the state of version ${version}`);
      for (const { name, values } of readEntries(data, 1)) {
        seen.advance(values[0]!);
        seen.add(name);
      }
    },
  };
}

function nameOf(key: string): string {
  if (key.length <= LONGEST_KEY) return key;
  return `sha256:${createHash("sha256").update(key).digest("base64")}`;
}
