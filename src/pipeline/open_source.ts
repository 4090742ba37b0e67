import type { BufferReading } from "../../ffi/flight_recorder.ts";
import type { Instance } from "../component/component.ts";
import type { BufferSettings } from "../config/resolved.ts";
import type { PipelineStore } from "../store/pipeline_store.ts";
import { BufferedSource } from "./buffered_source.ts";
import type { Surroundings } from "./node.ts";
import { SourceNode, type SourceOptions } from "./source_node.ts";

/** For what a source has left in a buffer that it does not have any more. */
const LEFT_OVER: BufferSettings = { maxBytes: 2 ** 30, whenFull: "block" };

export interface OpenSourceOptions extends SourceOptions {
  store: PipelineStore;
  buffer: BufferSettings | null;
  /** Takes what is to be seen of the buffer. */
  report(reading: BufferReading): void;
}

/**
 * The node of a source: with a buffer where the configuration says so, or where one of earlier still holds events. Throws
 * `StoreError` when the store cannot be read.
 */
export function openSource(
  instance: Instance,
  around: Surroundings,
  options: OpenSourceOptions,
): SourceNode {
  const { store, buffer } = options;
  if (buffer === null) {
    const { events } = store.bufferUsage(instance.id);
    if (events === 0) return new SourceNode(instance, around, options);
    around.log("info", "Buffer is used until the next start, since it still holds events", {
      component: instance.id,
      events,
    });
  }
  return BufferedSource.open(instance, around, { ...options, settings: buffer ?? LEFT_OVER });
}
