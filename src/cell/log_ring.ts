/** Takes log records out of a cell's flight recorder. Plugins' threads put them in, through the shim. */
import { LOG_SLOTS, RecorderHeaderLayout, RecorderLogLayout } from "../../ffi/recorder_layout.ts";
import type { RecorderPlan } from "../../ffi/flight_recorder.ts";

/** The value of a key-value, by the type that its plugin gave it. */
export type FieldValue = string | number | boolean | null | object;

/** One log record of a plugin, or of the cell itself. */
export interface PluginLog {
  /** Nanoseconds since 1970. */
  timestamp: bigint;
  /** BUSBAR_LOG_*: 1 trace to 6 fatal, but a plugin may write any number. */
  level: number;
  /** Number of the component; undefined: the cell. */
  component: number | undefined;
  target: string;
  message: string;
  fields: Record<string, FieldValue>;
  /** 0: none. */
  spanId: bigint;
  parentSpanId: bigint;
  thread: number;
  /** The message was cut, or fields were left out. */
  truncated: boolean;
}

const SLOT = RecorderLogLayout.offset;
const DATA_SIZE = RecorderLogLayout.size - SLOT.data;
const FIELD_HEADER = 12;
const FieldType = { NUMBER: 1, BOOL: 2, JSON: 3 } as const;

/** The ring's only consumer. It keeps its own count and believes the slots only as far as they are plausible. */
export class LogRing {
  readonly #view: DataView;
  readonly #turns: BigUint64Array;
  readonly #components: number;
  readonly #base: number;
  #tail = 0;

  constructor(buffer: ArrayBuffer, plan: RecorderPlan) {
    this.#view = new DataView(buffer);
    this.#turns = new BigUint64Array(buffer);
    this.#components = plan.components;
    this.#base = plan.logAt;
  }

  /** All records that are complete, at most one lap of the ring. */
  drain(): PluginLog[] {
    const records: PluginLog[] = [];
    while (records.length < LOG_SLOTS) {
      const record = this.#take();
      if (record === undefined) break;
      records.push(record);
    }
    if (records.length > 0) {
      this.#view.setBigUint64(RecorderHeaderLayout.offset.log_tail, BigInt(this.#tail), true);
    }
    return records;
  }

  /** What is left when the cell is dead. Slots that were claimed but never filled are passed over. */
  drainDead(): PluginLog[] {
    const records: PluginLog[] = [];
    for (let i = 0; i < LOG_SLOTS; i++) {
      const record = this.#take();
      if (record === undefined) this.#tail++;
      else records.push(record);
    }
    return records;
  }

  #take(): PluginLog | undefined {
    const index = this.#tail % LOG_SLOTS;
    const at = this.#base + index * RecorderLogLayout.size;
    const lap = BigInt(this.#tail - index);
    if (Atomics.load(this.#turns, at / 8) !== lap + 1n) return undefined;
    const record = this.#read(at);
    Atomics.store(this.#turns, at / 8, lap + BigInt(LOG_SLOTS));
    this.#tail++;
    return record;
  }

  #read(at: number): PluginLog {
    const view = this.#view;
    // A copy, so that nothing changes between a check and its use.
    const data = new Uint8Array(view.buffer as ArrayBuffer, at + SLOT.data, DATA_SIZE).slice();
    const component = view.getUint32(at + SLOT.component, true);
    const targetLength = Math.min(view.getUint32(at + SLOT.target_length, true), DATA_SIZE);
    const messageLength = view.getUint32(at + SLOT.message_length, true);
    const messageEnd = Math.min(targetLength + messageLength, DATA_SIZE);
    const fieldCount = view.getUint32(at + SLOT.field_count, true);
    return {
      timestamp: view.getBigInt64(at + SLOT.timestamp, true),
      level: view.getInt32(at + SLOT.level, true),
      component: component >= 1 && component <= this.#components ? component - 1 : undefined,
      target: decode(data.subarray(0, targetLength)),
      message: decode(data.subarray(targetLength, messageEnd)),
      fields: readFields(data.subarray(messageEnd), fieldCount),
      spanId: view.getBigUint64(at + SLOT.span_id, true),
      parentSpanId: view.getBigUint64(at + SLOT.parent_span_id, true),
      thread: view.getUint32(at + SLOT.thread, true),
      truncated: view.getUint32(at + SLOT.truncated, true) !== 0,
    };
  }
}

function readFields(
  data: Uint8Array<ArrayBuffer>,
  count: number,
): Record<string, FieldValue> {
  const fields: [string, FieldValue][] = [];
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let at = 0;
  while (fields.length < count && data.length - at >= FIELD_HEADER) {
    const nameLength = view.getUint32(at, true);
    const valueLength = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    at += FIELD_HEADER;
    if (nameLength + valueLength > data.length - at) break;
    const name = decode(data.subarray(at, at + nameLength));
    const value = decode(data.subarray(at + nameLength, at + nameLength + valueLength));
    fields.push([name, fieldValue(type, value)]);
    at += nameLength + valueLength;
  }
  // From entries, so that a field called __proto__ is a field.
  return Object.fromEntries(fields);
}

/** The typed value; the text itself where it is not what its type says. */
function fieldValue(type: number, text: string): FieldValue {
  if (type !== FieldType.NUMBER && type !== FieldType.BOOL && type !== FieldType.JSON) return text;
  try {
    const value = JSON.parse(text) as FieldValue;
    const wanted = type === FieldType.NUMBER ? "number" : "boolean";
    return type === FieldType.JSON || typeof value === wanted ? value : text;
  } catch {
    return text;
  }
}

function decode(bytes: Uint8Array<ArrayBuffer>): string {
  return new TextDecoder().decode(bytes);
}
