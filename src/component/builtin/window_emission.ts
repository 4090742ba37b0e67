import { ContentType, RecordFlag } from "../../../ffi/layout.ts";
import { attributeBytes } from "../../event/attributes.ts";
import type { Batch } from "../../event/batch.ts";
import { append } from "../../event/writer.ts";
import { ERROR_ATTRIBUTE } from "./record_sorter.ts";
import type { WindowPlan } from "./window_settings.ts";
import type { OpenWindow } from "./window_store.ts";

const encoder = new TextEncoder();
/** It stems from many events. */
const NO_ORIGIN = { sequence: 0, source: 0 };

/**
 * Appends what a window comes to, unless `having` does not want it; false where it does not fit.
 * @param final the window is closed
 */
export function emitWindow(
  out: Batch,
  window: OpenWindow,
  { plan, final }: { plan: WindowPlan; final: boolean },
): boolean {
  let error: string | undefined;
  try {
    if (!isWanted(window, plan)) return true;
  } catch (thrown) {
    // Nothing of a window may be lost because of a condition.
    error = (thrown as Error).message;
  }
  return append(out, {
    payload: encoder.encode(jsonOf(window, plan, final)),
    key: encoder.encode(window.key),
    contentType: ContentType.JSON,
    timestamp: BigInt(window.start + plan.size) * 1_000_000n,
    ...(error === undefined ? {} : {
      flags: RecordFlag.MARKED,
      attributes: attributeBytes([[ERROR_ATTRIBUTE, error]]),
    }),
  }, NO_ORIGIN);
}

function isWanted({ key, start, accumulators }: OpenWindow, plan: WindowPlan): boolean {
  const { having, aggregates, size } = plan;
  if (having === undefined) return true;
  const values: Record<string, unknown> = {
    key,
    start: new Date(start),
    end: new Date(start + size),
  };
  aggregates.forEach(({ name }, i) => values[name] = accumulators[i]!.value());
  return having.evaluateWith(values);
}

function jsonOf(
  { key, start, accumulators }: OpenWindow,
  plan: WindowPlan,
  final: boolean,
): string {
  const { aggregates, size, emitEvery, emitOnStop } = plan;
  const window = { start: new Date(start), end: new Date(start + size) };
  const members = [`"window":${JSON.stringify(window)}`];
  if (plan.key !== undefined) members.push(`"key":${JSON.stringify(key)}`);
  aggregates.forEach(({ name }, i) => members.push(`"${name}":${accumulators[i]!.json()}`));
  if (emitEvery > 0 || emitOnStop) members.push(`"final":${final}`);
  const truncated = aggregates.filter((_, i) => accumulators[i]!.truncated);
  if (truncated.length > 0) {
    members.push(`"truncated":${JSON.stringify(truncated.map(({ name }) => name))}`);
  }
  return `{${members.join(",")}}`;
}
