/**
 * The flight recorder: one memory file for each cell, which host and cell both map. The cell writes through
 * {@linkcode CellRecorder}, the shim from C; the host reads with `src/cell/recorder_reader.ts`, while the cell lives and after.
 */
import { MemoryFile } from "./memory_file.ts";
import {
  HEADER_SIZE,
  LIBRARY_MAX,
  LOG_SLOTS,
  METRIC_MAX,
  RECORDER_MAGIC,
  RecorderComponentLayout,
  RecorderHeaderLayout,
  RecorderLibraryLayout,
  RecorderLogLayout,
  RecorderMetricLayout,
  RecorderSourceLayout,
} from "./recorder_layout.ts";
import { POSITION_MAX } from "./layout.ts";
import { ComponentMetrics } from "./recorder_metrics.ts";

/** What a component's health says in the recorder. */
export const Health = { UNKNOWN: 0, WELL: 1, UNWELL: 2, SILENT: 3 } as const;

/** How far a component's life is, in the recorder. */
export const ComponentState = { NONE: 0, CREATED: 1, STARTED: 2, STOPPED: 3, DONE: 4 } as const;

/** Where the parts of a recorder begin, in bytes, for its numbers of components and sources. */
export interface RecorderPlan {
  components: number;
  sources: number;
  size: number;
  componentsAt: number;
  sourcesAt: number;
  librariesAt: number;
  metricsAt: number;
  logAt: number;
}

/** A source's place to resume at. */
export interface SourceState {
  /** Every event up to this sequence is finished everywhere. */
  acknowledged: bigint;
  /** Events up to this one may have been handed out by an earlier process; the host's to say, kept by the cell. */
  polled?: bigint;
  /** Where the source resumes right after it; empty: from the beginning. A copy. */
  position: Uint8Array<ArrayBuffer>;
}

/** A source's buffer on disk. */
export interface BufferReading {
  bytes: number;
  events: number;
  /** Events given up since there was no room. */
  dropped: number;
  /** Events lost in rows that were damaged. */
  corrupt: number;
}

const PAGE = 4096;
const HEADER = RecorderHeaderLayout.offset;
const COMPONENT = RecorderComponentLayout.offset;
const SOURCE = RecorderSourceLayout.offset;

/** Lays out a recorder. Each part begins on a page of its own. */
export function planRecorder(components: number, sources: number): RecorderPlan {
  let at = HEADER_SIZE;
  const part = (bytes: number): number => {
    const start = at;
    at = Math.ceil((at + bytes) / PAGE) * PAGE;
    return start;
  };
  const componentsAt = part(components * RecorderComponentLayout.size);
  const sourcesAt = part(sources * RecorderSourceLayout.size);
  const librariesAt = part(LIBRARY_MAX * RecorderLibraryLayout.size);
  const metricsAt = part(METRIC_MAX * RecorderMetricLayout.size);
  const logAt = part(LOG_SLOTS * RecorderLogLayout.size);
  return {
    components,
    sources,
    size: at,
    componentsAt,
    sourcesAt,
    librariesAt,
    metricsAt,
    logAt,
  };
}

/** Makes an empty recorder; the host's, which closes it. */
export function createRecorder(plan: RecorderPlan): MemoryFile {
  const file = MemoryFile.create("busbar-recorder", plan.size);
  const view = new DataView(file.buffer);
  view.setUint32(HEADER.magic, RECORDER_MAGIC, true);
  view.setUint32(HEADER.component_count, plan.components, true);
  view.setUint32(HEADER.source_count, plan.sources, true);
  view.setBigUint64(HEADER.size, BigInt(plan.size), true);
  view.setBigUint64(HEADER.components_at, BigInt(plan.componentsAt), true);
  view.setBigUint64(HEADER.sources_at, BigInt(plan.sourcesAt), true);
  view.setBigUint64(HEADER.libraries_at, BigInt(plan.librariesAt), true);
  view.setBigUint64(HEADER.metrics_at, BigInt(plan.metricsAt), true);
  view.setBigUint64(HEADER.log_at, BigInt(plan.logAt), true);
  return file;
}

/**
 * Writes a source's state. `turn` is odd meanwhile, so that the other process does not take a half-written one; writer
 * and reader take turns with sequentially consistent operations, which keeps the bytes between them in place.
 */
export function writeSourceState(buffer: ArrayBuffer, at: number, state: SourceState): void {
  const { acknowledged, position } = state;
  if (position.length > POSITION_MAX) {
    throw new RangeError(
      `Cannot note a position of ${position.length} bytes: a position has at most ${POSITION_MAX}`,
    );
  }
  const view = new DataView(buffer, at, RecorderSourceLayout.size);
  const turn = new Uint32Array(buffer, at + SOURCE.turn, 1);
  Atomics.or(turn, 0, 1);
  view.setUint32(SOURCE.position_length, position.length, true);
  view.setBigUint64(SOURCE.acknowledged, acknowledged, true);
  if (state.polled !== undefined) view.setBigUint64(SOURCE.polled, state.polled, true);
  new Uint8Array(buffer, at + SOURCE.position, position.length).set(position);
  Atomics.add(turn, 0, 1);
}

/** A source's state, or undefined while it is being written or when its length is impossible. */
export function readSourceState(buffer: ArrayBuffer, at: number): SourceState | undefined {
  const view = new DataView(buffer, at, RecorderSourceLayout.size);
  const turn = new Uint32Array(buffer, at + SOURCE.turn, 1);
  const before = Atomics.load(turn, 0);
  const length = view.getUint32(SOURCE.position_length, true);
  if (before % 2 === 1 || length > POSITION_MAX) return undefined;
  const acknowledged = view.getBigUint64(SOURCE.acknowledged, true);
  const polled = view.getBigUint64(SOURCE.polled, true);
  const position = new Uint8Array(buffer, at + SOURCE.position, length).slice();
  return Atomics.load(turn, 0) === before ? { acknowledged, polled, position } : undefined;
}

/** Tells the cell that a message is on its way; the host's. */
export function announceMessage(buffer: ArrayBuffer): void {
  Atomics.add(new Uint32Array(buffer, HEADER.messages, 1), 0, 1);
}

/** One component's record, for components that the shim does not call: those written in TypeScript. */
export class ComponentRecord {
  /** Bytes from the beginning of the recorder to `struct bb_component`. */
  readonly offset: number;
  readonly metrics: ComponentMetrics;
  readonly #words: Uint32Array;

  constructor(buffer: ArrayBuffer, plan: RecorderPlan, index: number) {
    const offset = plan.componentsAt + index * RecorderComponentLayout.size;
    this.offset = offset;
    this.metrics = new ComponentMetrics(buffer, { metricsAt: plan.metricsAt, index });
    this.#words = new Uint32Array(buffer, offset, RecorderComponentLayout.size / 4);
  }

  /** Before a call: `call` is one of `CALL_NUMBER`, `sequence` that of the first event it is about. */
  enter(call: number, sequence = 0): void {
    this.#words[COMPONENT.call / 4] = call;
    this.#set(COMPONENT.sequence, sequence);
    this.#add(COMPONENT.calls, 1);
  }

  /** After the call, with the status it gave. */
  leave(status: number): void {
    this.#words[COMPONENT.status / 4] = status;
    if (status < 0) this.#add(COMPONENT.errors, 1);
    this.#add(COMPONENT.calls, 1);
  }

  /** Counts events that it accepted. */
  received(events: number, bytes: number): void {
    this.#add(COMPONENT.events_in, events);
    this.#add(COMPONENT.bytes_in, bytes);
  }

  /** Counts events that it gave. */
  emitted(events: number, bytes: number): void {
    this.#add(COMPONENT.events_out, events);
    this.#add(COMPONENT.bytes_out, bytes);
  }

  #set(offset: number, value: number): void {
    this.#words[offset / 4] = value;
    this.#words[offset / 4 + 1] = value / 2 ** 32;
  }

  #add(offset: number, value: number): void {
    const at = offset / 4;
    this.#set(offset, this.#words[at]! + this.#words[at + 1]! * 2 ** 32 + value);
  }
}

/** The cell's side of its recorder. All numbers of components and sources are those of the CellSpec. */
export class CellRecorder {
  readonly plan: RecorderPlan;
  readonly #buffer: ArrayBuffer;
  readonly #words: Uint32Array;
  readonly #components: ComponentRecord[];

  /** `buffer` is the whole of a recorder that the host made. */
  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
    this.#words = new Uint32Array(buffer);
    if (this.#words[0] !== RECORDER_MAGIC) {
      throw new Error("Cannot use the flight recorder: it does not begin with the magic number");
    }
    this.plan = planRecorder(
      this.#words[HEADER.component_count / 4]!,
      this.#words[HEADER.source_count / 4]!,
    );
    if (this.plan.size !== buffer.byteLength) {
      throw new Error(
        `Cannot use the flight recorder: it has ${buffer.byteLength} bytes, not ${this.plan.size}`,
      );
    }
    this.#components = Array.from(
      { length: this.plan.components },
      (_, i) => new ComponentRecord(buffer, this.plan, i),
    );
  }

  component(index: number): ComponentRecord {
    const record = this.#components[index];
    if (record === undefined) throw new RangeError(`No component ${index} in the flight recorder`);
    return record;
  }

  /** How many messages the host has sent. */
  get messages(): number {
    return this.#words[HEADER.messages / 4]!;
  }

  /** Counts a turn of the event loop. Must come at least once a second, or the host takes the cell for hung. */
  beat(): void {
    const at = HEADER.heartbeat / 4;
    this.#words[at]!++;
    if (this.#words[at] === 0) this.#words[at + 1]!++;
  }

  setHealth(index: number, health: number): void {
    this.#set(index, COMPONENT.health, health);
  }

  setState(index: number, state: number): void {
    this.#set(index, COMPONENT.state, state);
  }

  /** Batches that wait before it. */
  setQueued(index: number, batches: number): void {
    this.#set(index, COMPONENT.queued, batches);
  }

  /** Batches that it has not completed. */
  setPending(index: number, batches: number): void {
    this.#set(index, COMPONENT.pending, batches);
  }

  /** Events given up so far. */
  setDropped(index: number, events: number): void {
    this.#setLong(index, COMPONENT.dropped, events);
  }

  /** Writes tried again so far. */
  setRetries(index: number, retries: number): void {
    this.#setLong(index, COMPONENT.retries, retries);
  }

  /** What a source's buffer on disk holds, and what it has lost so far; in events and bytes. */
  setBuffer(index: number, buffer: BufferReading): void {
    this.#setLong(index, COMPONENT.buffer_bytes, buffer.bytes);
    this.#setLong(index, COMPONENT.buffer_events, buffer.events);
    this.#setLong(index, COMPONENT.buffer_dropped, buffer.dropped);
    this.#setLong(index, COMPONENT.buffer_corrupt, buffer.corrupt);
  }

  /** Notes that everything up to `sequence` is finished, and where the source resumes after it. */
  writeSource(index: number, sequence: number | bigint, position: Uint8Array<ArrayBuffer>): void {
    const state = { acknowledged: BigInt(sequence), position };
    writeSourceState(this.#buffer, this.#sourceAt(index), state);
  }

  /** Where to resume; nothing for a source that never had a checkpoint. */
  readSource(index: number): SourceState {
    return readSourceState(this.#buffer, this.#sourceAt(index)) ??
      { acknowledged: 0n, position: new Uint8Array() };
  }

  /** Says where plugins' code lies, so that a crash can be blamed; at most {@linkcode LIBRARY_MAX}. */
  noteLibraries(libraries: readonly { path: string; start: bigint; end: bigint }[]): void {
    const { offset, size } = RecorderLibraryLayout;
    const view = new DataView(this.#buffer);
    for (const [i, { path, start, end }] of libraries.slice(0, LIBRARY_MAX).entries()) {
      const at = this.plan.librariesAt + i * size;
      // The end of a long path tells more than its beginning.
      const text = new TextEncoder().encode(path).slice(-(size - offset.path - 1));
      view.setBigUint64(at + offset.start, start, true);
      view.setBigUint64(at + offset.end, end, true);
      new Uint8Array(this.#buffer, at + offset.path, text.length).set(text);
    }
    this.#words[HEADER.library_count / 4] = Math.min(libraries.length, LIBRARY_MAX);
  }

  /** Says that the process is about to end because it was told to: not a crash. */
  cleanExit(): void {
    this.#words[HEADER.clean_exit / 4] = 1;
  }

  #sourceAt(index: number): number {
    if (index >= this.plan.sources) {
      throw new RangeError(`No source ${index} in the flight recorder`);
    }
    return this.plan.sourcesAt + index * RecorderSourceLayout.size;
  }

  #setLong(index: number, offset: number, value: number): void {
    this.#set(index, offset, value);
    this.#set(index, offset + 4, value / 2 ** 32);
  }

  #set(index: number, offset: number, value: number): void {
    this.#words[(this.component(index).offset + offset) / 4] = value;
  }
}
