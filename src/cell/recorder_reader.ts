/**
 * Reads a cell's flight recorder in the host. A cell can write anything into it at any time, so the layout comes from
 * the host's own plan, never from the header, and every number is checked before it is used as a place or a length.
 */
import {
  type CallName,
  callName,
  CrashState,
  LIBRARY_MAX,
  METRIC_BUCKETS,
  METRIC_MAX,
  RecorderComponentLayout,
  RecorderHeaderLayout,
  RecorderLibraryLayout,
  RecorderMetricLayout,
  RecorderSourceLayout,
} from "../../ffi/recorder_layout.ts";
import { readSourceState, type RecorderPlan, type SourceState } from "../../ffi/flight_recorder.ts";

/** A component's counters. Numbers beyond 2^53 lose their last digits. */
export interface ComponentReading {
  /** Odd while it is inside a call. */
  calls: bigint;
  /** The present or last call; "" before the first. */
  call: CallName | "";
  /** Number of the source of the first event it was given. */
  source: number;
  /** Of the first event it was given, or of the next one it was asked for. */
  sequence: number;
  eventsIn: number;
  eventsOut: number;
  bytesIn: number;
  bytesOut: number;
  errors: number;
  dropped: number;
  retries: number;
  health: number;
  state: number;
  queued: number;
  pending: number;
  bufferBytes: number;
  bufferEvents: number;
  bufferDropped: number;
  bufferCorrupt: number;
}

/** What the shim noted when the process crashed or called exit(). */
export interface CrashRecord {
  kind: "signal" | "exit";
  /** 0 for exit(). */
  signal: number;
  /** The process that sent the signal; 0 when it was a fault or the cell's own doing. */
  sender: number;
  thread: number;
  /** File of the plugin library it happened in; undefined: in none. When long, its beginning is cut off. */
  library: string | undefined;
  /** Not at the faulting instruction itself, but the nearest caller. */
  byStack: boolean;
  /** Number of the component in whose call the thread was; undefined: a thread of a plugin's own. */
  component: number | undefined;
  address: bigint;
}

/** A metric that a plugin keeps. */
export interface MetricReading {
  name: string;
  kind: "counter" | "gauge" | "histogram";
  /** Number of the component; undefined: the plugin's as a whole. */
  component: number | undefined;
  /** Counter's or gauge's value; a histogram's sum. */
  value: number;
  /** A histogram's observations. */
  count: number;
  /** A histogram's: how many values lay in [2^(b-33), 2^(b-32)) for bucket b; the first takes all below, the last all above. */
  buckets: number[];
}

const HEADER = RecorderHeaderLayout.offset;
const COMPONENT = RecorderComponentLayout.offset;
const LIBRARY = RecorderLibraryLayout.offset;
const METRIC = RecorderMetricLayout.offset;
const LIBRARY_PATH_SIZE = RecorderLibraryLayout.size - LIBRARY.path;
const METRIC_NAME_SIZE = METRIC.count - METRIC.name;
const METRIC_IN_USE = 2;
const METRIC_KINDS = [undefined, "counter", "gauge", "histogram"] as const;

/** The recorder's contents as checked values. Valid until the memory file is closed. */
export class RecorderReader {
  readonly plan: RecorderPlan;
  readonly #buffer: ArrayBuffer;
  readonly #view: DataView;

  constructor(buffer: ArrayBuffer, plan: RecorderPlan) {
    if (buffer.byteLength < plan.size) {
      throw new RangeError(
        `Cannot read a flight recorder of ${buffer.byteLength} bytes: it needs ${plan.size}`,
      );
    }
    this.plan = plan;
    this.#buffer = buffer;
    this.#view = new DataView(buffer);
  }

  /** Turns of the cell's event loop. */
  heartbeat(): bigint {
    return this.#view.getBigUint64(HEADER.heartbeat, true);
  }

  /** Whether the cell said that it ends on purpose. */
  endedCleanly(): boolean {
    return this.#u32(HEADER.clean_exit) === 1;
  }

  /** Log records lost because the ring was full. */
  logsDropped(): number {
    return this.#u64(HEADER.log_dropped);
  }

  /** Observations lost because there was no room for another metric. */
  metricsDropped(): number {
    return this.#u64(HEADER.metric_dropped);
  }

  /** A component's count of calls alone: odd while it is inside one. */
  calls(component: number): bigint {
    return this.#view.getBigUint64(this.#componentAt(component) + COMPONENT.calls, true);
  }

  component(component: number): ComponentReading {
    const at = this.#componentAt(component);
    return {
      calls: this.calls(component),
      call: callName(this.#u32(at + COMPONENT.call) & 0xffff),
      source: this.#u32(at + COMPONENT.call) >>> 16,
      sequence: this.#u64(at + COMPONENT.sequence),
      eventsIn: this.#u64(at + COMPONENT.events_in),
      eventsOut: this.#u64(at + COMPONENT.events_out),
      bytesIn: this.#u64(at + COMPONENT.bytes_in),
      bytesOut: this.#u64(at + COMPONENT.bytes_out),
      errors: this.#u64(at + COMPONENT.errors),
      dropped: this.#u64(at + COMPONENT.dropped),
      retries: this.#u64(at + COMPONENT.retries),
      health: this.#u32(at + COMPONENT.health),
      state: this.#u32(at + COMPONENT.state),
      queued: this.#u32(at + COMPONENT.queued),
      pending: this.#u32(at + COMPONENT.pending),
      bufferBytes: this.#u64(at + COMPONENT.buffer_bytes),
      bufferEvents: this.#u64(at + COMPONENT.buffer_events),
      bufferDropped: this.#u64(at + COMPONENT.buffer_dropped),
      bufferCorrupt: this.#u64(at + COMPONENT.buffer_corrupt),
    };
  }

  /** How often a source's state was written, times two; odd while it is. */
  sourceTurn(source: number): number {
    return this.#u32(this.#sourceAt(source));
  }

  /** A source's state; undefined while it is being written, or for ever when the cell died meanwhile. */
  source(source: number): SourceState | undefined {
    return readSourceState(this.#buffer, this.#sourceAt(source));
  }

  /** What the shim noted; undefined when it noted nothing, or had not finished. */
  crash(): CrashRecord | undefined {
    const state = this.#u32(HEADER.crash_state);
    if (state !== CrashState.SIGNAL && state !== CrashState.EXIT) return undefined;
    const component = this.#u32(HEADER.crash_component);
    return {
      kind: state === CrashState.SIGNAL ? "signal" : "exit",
      signal: this.#view.getInt32(HEADER.crash_signal, true),
      sender: this.#view.getInt32(HEADER.crash_code, true) <= 0
        ? this.#u32(HEADER.crash_sender)
        : 0,
      thread: this.#u32(HEADER.crash_thread),
      library: this.#libraryPath(this.#u32(HEADER.crash_library)),
      byStack: this.#u32(HEADER.crash_by_stack) === 1,
      component: component >= 1 && component <= this.plan.components ? component - 1 : undefined,
      address: this.#view.getBigUint64(HEADER.crash_address, true),
    };
  }

  /** All metrics that have a name. */
  metrics(): MetricReading[] {
    const found: MetricReading[] = [];
    for (let i = 0; i < METRIC_MAX; i++) {
      const metric = this.#metric(this.plan.metricsAt + i * RecorderMetricLayout.size);
      if (metric !== undefined) found.push(metric);
    }
    return found;
  }

  #metric(at: number): MetricReading | undefined {
    const kind = METRIC_KINDS[this.#u32(at + METRIC.kind)];
    const component = this.#u32(at + METRIC.component);
    const nameLength = this.#u32(at + METRIC.name_length);
    if (
      this.#u32(at + METRIC.state) !== METRIC_IN_USE || kind === undefined ||
      component > this.plan.components || nameLength > METRIC_NAME_SIZE
    ) return undefined;
    const count = this.#u64(at + METRIC.count);
    return {
      name: this.#text(at + METRIC.name, nameLength),
      kind,
      component: component === 0 ? undefined : component - 1,
      value: kind === "counter" ? count : this.#view.getFloat64(at + METRIC.value, true),
      count,
      buckets: kind === "histogram"
        ? Array.from({ length: METRIC_BUCKETS }, (_, b) => this.#u64(at + METRIC.buckets + b * 8))
        : [],
    };
  }

  #libraryPath(number: number): string | undefined {
    if (number < 1 || number > LIBRARY_MAX) return undefined;
    const at = this.plan.librariesAt + (number - 1) * RecorderLibraryLayout.size + LIBRARY.path;
    const bytes = new Uint8Array(this.#buffer, at, LIBRARY_PATH_SIZE);
    const end = bytes.indexOf(0);
    return end <= 0 ? undefined : this.#text(at, end);
  }

  #componentAt(component: number): number {
    return this.plan.componentsAt +
      checked(component, this.plan.components) * RecorderComponentLayout.size;
  }

  #sourceAt(source: number): number {
    return this.plan.sourcesAt + checked(source, this.plan.sources) * RecorderSourceLayout.size;
  }

  #text(at: number, length: number): string {
    return new TextDecoder().decode(new Uint8Array(this.#buffer, at, length).slice());
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #u64(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }
}

function checked(index: number, count: number): number {
  if (index >= 0 && index < count) return index;
  throw new RangeError(`No place ${index} in the flight recorder: it has ${count}`);
}
