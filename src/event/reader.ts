import { RecordLayout } from "../../ffi/layout.ts";
import { attributePairs } from "./attributes.ts";
import type { Batch } from "./batch.ts";

const at = RecordLayout.offset;
const HEADER = RecordLayout.size;

/**
 * Walks the records of a batch, checking as it goes that each lies inside. One reader can be used for any number of
 * batches; what it shows is valid until the next {@linkcode RecordReader.next} and no longer than the batch.
 */
export class RecordReader {
  /** Index of the record it stands on; -1 before the first. */
  index = -1;
  /** Byte of the record it stands on. */
  offset = 0;
  /** Why the walk ended before the last record, or "". */
  malformed = "";
  #next = 0;
  #length = 0;
  #view!: DataView<ArrayBuffer>;
  #bytes!: Uint8Array<ArrayBuffer>;

  /** Starts before the record at byte `cursor` of `batch`. */
  open(batch: Batch, cursor = 0): this {
    this.index = -1;
    this.malformed = "";
    this.#next = cursor;
    this.#length = batch.length;
    this.#view = batch.view;
    this.#bytes = batch.bytes;
    return this;
  }

  /** Goes to the next record; false at the end, and where a record does not fit, which {@linkcode malformed} then says. */
  next(): boolean {
    const offset = this.#next;
    const left = this.#length - offset;
    if (left < HEADER) {
      if (left !== 0) this.malformed = `${left} bytes are left behind record ${this.index}`;
      return false;
    }
    const view = this.#view;
    const size = view.getUint32(offset, true);
    const content = view.getUint32(offset + at.key_length, true) +
      view.getUint32(offset + at.payload_length, true) +
      view.getUint32(offset + at.attributes_length, true);
    if (size < HEADER || size > left || (size & 7) !== 0 || content > size - HEADER) {
      this.malformed = `record ${this.index + 1} at byte ${offset} says to be ${size} bytes long ` +
        `with ${content} bytes of content, and ${left} bytes are left`;
      return false;
    }
    this.offset = offset;
    this.#next = offset + size;
    this.index++;
    return true;
  }

  /** Byte of the record after this one. */
  get end(): number {
    return this.#next;
  }

  get operation(): number {
    return this.#view.getUint8(this.offset + at.operation);
  }

  get contentType(): number {
    return this.#view.getUint8(this.offset + at.content_type);
  }

  get source(): number {
    return this.#view.getUint16(this.offset + at.source, true);
  }

  /** Nanoseconds since 1970; 0n when not known. */
  get timestamp(): bigint {
    return this.#view.getBigInt64(this.offset + at.timestamp, true);
  }

  get sequence(): number {
    return this.#view.getUint32(this.offset + at.sequence, true) +
      this.#view.getUint32(this.offset + at.sequence + 4, true) * 2 ** 32;
  }

  get flags(): number {
    return this.#view.getUint32(this.offset + at.flags, true);
  }

  get payloadLength(): number {
    return this.#view.getUint32(this.offset + at.payload_length, true);
  }

  get key(): Uint8Array<ArrayBuffer> {
    const start = this.offset + HEADER;
    return this.#bytes.subarray(
      start,
      start + this.#view.getUint32(this.offset + at.key_length, true),
    );
  }

  get payload(): Uint8Array<ArrayBuffer> {
    const start = this.offset + HEADER + this.#view.getUint32(this.offset + at.key_length, true);
    return this.#bytes.subarray(start, start + this.payloadLength);
  }

  /** All attributes as they lie in the record. */
  get rawAttributes(): Uint8Array<ArrayBuffer> {
    const start = this.offset + HEADER + this.#view.getUint32(this.offset + at.key_length, true) +
      this.payloadLength;
    return this.#bytes.subarray(
      start,
      start + this.#view.getUint32(this.offset + at.attributes_length, true),
    );
  }

  /** Name and value pairs; empty where their lengths do not fit. */
  attributes(): [name: string, value: string][] {
    const start = this.offset + HEADER + this.#view.getUint32(this.offset + at.key_length, true) +
      this.payloadLength;
    const length = this.#view.getUint32(this.offset + at.attributes_length, true);
    return attributePairs(this.#bytes.subarray(start, start + length));
  }
}

/** Walks the whole batch: why it is malformed, or "". The separate pass of `validate: strict`. */
export function malformation(batch: Batch): string {
  const reader = new RecordReader().open(batch);
  while (reader.next());
  if (reader.malformed !== "") return reader.malformed;
  if (reader.index + 1 !== batch.count) {
    return `it says to hold ${batch.count} records, but ${reader.index + 1} lie in it`;
  }
  return "";
}

/** Byte at which record `index` of `batch` begins. Throws when there is none. */
export function offsetOf(batch: Batch, index: number): number {
  const reader = new RecordReader().open(batch);
  for (let i = 0; i < index; i++) {
    if (!reader.next()) {
      throw new RangeError(reader.malformed || `the batch has no record ${index}`);
    }
  }
  return index === 0 ? 0 : reader.end;
}

/** Index of the first record of `batch` that begins at byte `offset` or later. */
export function indexAt(batch: Batch, offset: number): number {
  const reader = new RecordReader().open(batch);
  let index = 0;
  while (reader.end < offset && reader.next()) index++;
  return index;
}
