import { Operation, RecordLayout } from "../../ffi/layout.ts";
import type { Batch } from "./batch.ts";

const at = RecordLayout.offset;
const HEADER = RecordLayout.size;
const EMPTY = new Uint8Array(0);

/** What to append; lengths in bytes. */
export interface EventInit {
  payload: Uint8Array;
  key?: Uint8Array;
  /** @default 0: opaque bytes */
  contentType?: number;
  /** @default 0: message */
  operation?: number;
  /** Nanoseconds since 1970. @default 0n: not known */
  timestamp?: bigint;
  flags?: number;
  /** As they lie in a record. @default none */
  attributes?: Uint8Array;
}

/** Where an event stems from, for processors: the sequence and source it keeps. */
export interface Origin {
  sequence: number;
  source: number;
}

/**
 * Appends one event: a new one, stamped with the next sequence of the batch, or one that stems from `origin`. False when
 * it does not fit; then the batch is as before, and `required` says if even an empty arena would be too small.
 */
export function append(batch: Batch, event: EventInit, origin?: Origin): boolean {
  const key = event.key ?? EMPTY;
  const payload = event.payload;
  const attributes = event.attributes ?? EMPTY;
  const used = HEADER + key.length + payload.length + attributes.length;
  const size = (used + 7) & ~7;
  const offset = batch.length;
  if (batch.count >= batch.limit) return false;
  if (size > batch.capacity - offset) {
    if (size > batch.capacity) batch.required = size;
    return false;
  }
  const { view, bytes } = batch;
  const sequence = origin ? origin.sequence : batch.nextSequence;
  view.setUint32(offset, size, true);
  view.setUint8(offset + at.operation, event.operation ?? Operation.MESSAGE);
  view.setUint8(offset + at.content_type, event.contentType ?? 0);
  view.setUint16(offset + at.source, origin ? origin.source : batch.source, true);
  view.setBigInt64(offset + at.timestamp, event.timestamp ?? 0n, true);
  view.setUint32(offset + at.sequence, sequence, true);
  view.setUint32(offset + at.sequence + 4, sequence / 2 ** 32, true);
  view.setUint32(offset + at.key_length, key.length, true);
  view.setUint32(offset + at.payload_length, payload.length, true);
  view.setUint32(offset + at.attributes_length, attributes.length, true);
  view.setUint32(offset + at.flags, event.flags ?? 0, true);
  // Calls that have nothing to do would cost as much as the others.
  if (key.length > 0) bytes.set(key, offset + HEADER);
  bytes.set(payload, offset + HEADER + key.length);
  if (attributes.length > 0) bytes.set(attributes, offset + used - attributes.length);
  for (let at = offset + used; at < offset + size; at++) bytes[at] = 0;
  batch.length = offset + size;
  batch.count++;
  if (!origin) batch.nextSequence = sequence + 1;
  return true;
}
