import { AgedMap } from "../../aged_map.ts";
import { SettingError } from "../../config/setting_error.ts";
import { parseDuration } from "../../config/units.ts";
import { compileExpression } from "../../expression/expression.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { type OnError, RecordSorter } from "./record_sorter.ts";
import { readEntries, writeEntries } from "./saved_entries.ts";

const OUT = 0;
const LIMITED = 1;
const STATE_VERSION = 1;

interface Settings {
  events: number;
  period: string;
  burst?: number;
  key?: string;
  max_keys: number;
  on_error: OnError;
}

/** What a key may still send, as it was at a time in milliseconds since 1970. */
interface Bucket {
  tokens: number;
  at: number;
}

/** Passes on at most so many events in a time; a bucket of tokens for each key, filled as time passes. */
export function throttle(context: BuiltinContext): BuiltinComponent {
  const settings = context.config as unknown as Settings;
  const { events, period, burst = events, key, max_keys, on_error } = settings;
  const sorter = new RecordSorter(context, on_error);
  const expression = key === undefined
    ? undefined
    : compileExpression(key, "string", { setting: "key" });
  const perMs = events / periodOf(period);
  const countLimited = context.metrics.counter("events_limited_total");
  const countForgotten = context.metrics.counter("keys_forgotten_total");
  const setKeys = context.metrics.gauge("keys");
  /** The one that was asked last stands last. */
  let buckets = new AgedMap<Bucket>();
  let limited = 0;
  let forgotten = 0;

  // A clock that is set back fills nothing.
  const tokensAt = ({ tokens, at }: Bucket, now: number) =>
    Math.min(burst, tokens + Math.max(0, now - at) * perMs);

  const decide = (name: string, now: number): number => {
    const bucket = buckets.get(name);
    const tokens = bucket === undefined ? burst : tokensAt(bucket, now);
    if (bucket !== undefined) buckets.delete(name);
    else if (buckets.size >= max_keys) {
      buckets.delete(buckets.oldest!);
      forgotten++;
    }
    const passes = tokens >= 1;
    buckets.set(name, { tokens: passes ? tokens - 1 : tokens, at: now });
    if (passes) return OUT;
    limited++;
    return LIMITED;
  };

  return {
    process(batch) {
      const now = context.now();
      limited = forgotten = 0;
      const status = sorter.process(batch, (view) => decide(expression?.evaluate(view) ?? "", now));
      if (limited > 0) countLimited(limited);
      if (forgotten > 0) countForgotten(forgotten);
      setKeys(buckets.size);
      return status;
    },
    save() {
      const now = context.now();
      // A full bucket is as good as none.
      const entries = [...buckets].filter(([, bucket]) => tokensAt(bucket, now) < burst);
      const data = writeEntries(entries.map(([name, { tokens, at }]) => ({
        name,
        values: [tokens, at],
      })));
      return { version: STATE_VERSION, data };
    },
    restore({ version, data }) {
      if (version !== STATE_VERSION) throw new Error(`Cannot read the state of version ${version}`);
      buckets = new AgedMap(
        readEntries(data, 2).slice(-max_keys).map(({ name, values }) => [
          name,
          { tokens: Math.min(burst, values[0]!), at: values[1]! },
        ]),
      );
    },
  };
}

throttle.check = (config: Record<string, unknown>) =>
  periodOf((config as unknown as Settings).period);

/** In milliseconds. */
function periodOf(period: string): number {
  const ms = parseDuration(period);
  if (ms > 0) return ms;
  throw new SettingError(["period"], `Cannot let pass so many events in ${period}: no time passes`);
}
