import type { DeadLetterInit } from "../store/pipeline_store.ts";
import { RecordReader } from "../event/reader.ts";
import type { FlowBatch } from "./flow_batch.ts";
import { type Node, rootOf, type Surroundings } from "./node.ts";
import { Replayer } from "./replayer.ts";

/** What happens to records that a component refuses for good. */
export interface DeliverySettings {
  retry: {
    initialMs: number;
    maxMs: number;
    multiplier: number;
    /** 0: for ever. */
    maxAttempts: number;
    /** Part of a wait that is left to chance, from 0 to 1. */
    jitter: number;
  };
  onFailure: "dead_letter" | "drop" | "stop";
}

/** Why a record is given up. */
export interface Refusal {
  code: "Failed" | "Invalid" | "Poison";
  error: string;
  attempts: number;
}

/** How long to wait after the `attempt`th failure, in ms. */
export function retryWait(retry: DeliverySettings["retry"], attempt: number): number {
  const wait = Math.min(retry.initialMs * retry.multiplier ** (attempt - 1), retry.maxMs);
  return wait * (1 - retry.jitter * Math.random());
}

/** Gives up the first record of `batch` as the settings say; false when the pipeline stops instead. */
export function giveUpRecord(
  batch: FlowBatch,
  options: { node: Node; around: Surroundings; delivery: DeliverySettings; refusal: Refusal },
): boolean {
  const { node, around, delivery: { onFailure }, refusal } = options;
  const { owner } = rootOf(batch);
  if (owner instanceof Replayer) {
    owner.failed(rootOf(batch), refusal);
    return true;
  }
  const reader = new RecordReader().open(batch);
  reader.next();
  const { sequence } = reader;
  const error = refusal.error || "no reason given";
  if (onFailure === "stop") {
    const { id: component, plugin, kind } = node.instance;
    around.giveUp({
      pipeline: around.pipelineId,
      component,
      plugin,
      call: kind === "processor" ? "process" : "write",
      code: "Rejected",
      message: `it did not accept event ${sequence}: ${error}`,
    });
    return false;
  }
  const fields = { component: node.id, sequence, code: refusal.code, error };
  if (onFailure === "drop") {
    around.count(node.instance.index, "dropped", 1);
    around.log("error", "Event dropped, the component did not accept it", fields);
    return true;
  }
  around.log("error", "Event is a dead letter now, the component did not accept it", fields);
  around.deadLetter(letterOf(reader, { node, around, refusal }));
  return true;
}

function letterOf(
  reader: RecordReader,
  options: { node: Node; around: Surroundings; refusal: Refusal },
): DeadLetterInit {
  const { node, around, refusal } = options;
  return {
    component: node.id,
    plugin: node.instance.plugin,
    ...refusal,
    source: around.sourceId(reader.source),
    sequence: reader.sequence,
    operation: reader.operation,
    contentType: reader.contentType,
    timestamp: reader.timestamp,
    flags: reader.flags,
    key: reader.key.slice(),
    payload: reader.payload.slice(),
    attributes: reader.rawAttributes.slice(),
  };
}
