import { loadShim } from "../../../ffi/shim.ts";
import { Batch } from "../../../src/event/batch.ts";
import { append, type EventInit } from "../../../src/event/writer.ts";
import { EventView } from "../../../src/expression/event_view.ts";

// Once a process: not something that a test leaves behind.
loadShim();

export type TestEvent = Omit<EventInit, "payload" | "key"> & {
  payload: string | Uint8Array;
  key?: string | Uint8Array;
};

const bytes = (text: string | Uint8Array) =>
  typeof text === "string" ? new TextEncoder().encode(text) : text;

/** Runs `body` with a view that stands before the first of these events. */
export function withEvents<T>(
  events: readonly TestEvent[],
  body: (view: EventView, batch: Batch) => T,
): T {
  const batch = new Batch({ bytes: 8 * 2 ** 20, limit: 20_000 });
  try {
    for (const { payload, key = "", ...rest } of events) {
      const event = { ...rest, payload: bytes(payload), key: bytes(key) };
      if (!append(batch, event, { sequence: batch.count + 1, source: 0 })) {
        throw new Error("the batch is too small for the test's events");
      }
    }
    return body(new EventView(["access"]).open(batch), batch);
  } finally {
    batch.free();
  }
}

/** Runs `body` with a view that stands on this event. */
export function withEvent<T>(event: TestEvent, body: (view: EventView) => T): T {
  return withEvents([event], (view) => {
    view.next();
    return body(view);
  });
}
