import { SettingError } from "../../config/setting_error.ts";
import { compileExpression } from "../../expression/expression.ts";
import type { EventView } from "../../expression/event_view.ts";
import { hash } from "../../expression/functions.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import type { SavedState } from "../component.ts";
import { type OnError, RecordSorter } from "./record_sorter.ts";

const OUT = 0;
const REJECTED = 1;
const STATE_VERSION = 1;

interface Settings {
  every?: number;
  probability?: number;
  key?: string;
  seed: number;
  on_error: OnError;
}

/** Passes on a part of the events; which ones is the same when they come again. */
export function sample(context: BuiltinContext): BuiltinComponent {
  const settings = context.config as unknown as Settings;
  checkSample(settings);
  const sorter = new RecordSorter(context, settings.on_error);
  return settings.every === undefined
    ? byChance(settings, sorter)
    : byCount(settings.every, sorter);
}

sample.check = (config: Record<string, unknown>) => checkSample(config as unknown as Settings);

function checkSample({ every, probability }: Settings): void {
  if (every === undefined || probability === undefined) return;
  throw new SettingError(
    ["every"],
    'Cannot sample by "every" and by "probability": leave one of them out',
  );
}

function byChance(
  { probability = 1, key, seed }: Settings,
  sorter: RecordSorter,
): BuiltinComponent {
  const limit = probability * 2 ** 32;
  const expression = key === undefined
    ? undefined
    : compileExpression(key, "string", { setting: "key" });
  const nameOf = expression === undefined
    ? ({ reader, source }: EventView) => `${source}\n${reader.sequence}`
    : (view: EventView) => expression.evaluate(view);
  return {
    process: (batch) =>
      sorter.process(batch, (view) => hash(`${seed}\n${nameOf(view)}`) < limit ? OUT : REJECTED),
  };
}

/** The state is the number of events since the last that passed. */
function byCount(every: number, sorter: RecordSorter): BuiltinComponent {
  let since = 0;
  return {
    process: (batch) =>
      sorter.process(batch, () => {
        const output = since === 0 ? OUT : REJECTED;
        since = (since + 1) % every;
        return output;
      }),
    save(): SavedState {
      const data = new Uint8Array(8);
      new DataView(data.buffer).setFloat64(0, since, true);
      return { version: STATE_VERSION, data };
    },
    restore({ version, data }) {
      if (version !== STATE_VERSION || data.length !== 8) {
        throw new Error(`Cannot read the state of version ${version} in ${data.length} bytes`);
      }
      const saved = new DataView(data.buffer, data.byteOffset).getFloat64(0, true);
      // The setting may have changed in between.
      since = saved % every;
    },
  };
}
