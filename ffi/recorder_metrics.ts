/** Metrics of components that the shim does not call: the same slots that its `counter`, `gauge` and `histogram` fill. */
import {
  METRIC_BUCKETS,
  METRIC_MAX,
  RecorderHeaderLayout,
  RecorderMetricLayout,
} from "./recorder_layout.ts";

const KINDS = { counter: 1, gauge: 2, histogram: 3 } as const;
type MetricKind = keyof typeof KINDS;

const METRIC = RecorderMetricLayout.offset;
const SIZE = RecorderMetricLayout.size;
const LONGEST_NAME = METRIC.count - METRIC.name - 1;
const FREE = 0;
const NAMING = 1;
const IN_USE = 2;
/** From the biased exponent of a double: bucket 33 begins at 1. */
const FIRST_EXPONENT = 990;

/**
 * What one component counts and measures. A metric is made once, and the function that comes of it is called; names are
 * in snake_case with their unit, at most 63 bytes. Where the recorder has no room for another metric it counts nothing.
 */
export class ComponentMetrics {
  readonly #buffer: ArrayBuffer;
  readonly #metricsAt: number;
  readonly #component: number;

  /** @param options where the recorder has its metrics, and the component's number in it */
  constructor(buffer: ArrayBuffer, options: { metricsAt: number; index: number }) {
    this.#buffer = buffer;
    this.#metricsAt = options.metricsAt;
    this.#component = options.index + 1;
  }

  /** Adds to a total; 1, without a number. */
  counter(name: string): (add?: number) => void {
    const at = this.#slot("counter", name);
    if (at === undefined) return () => {};
    const count = new BigUint64Array(this.#buffer, at + METRIC.count, 1);
    return (add = 1) => void (count[0]! += BigInt(add));
  }

  /** Sets a value that goes up and down. */
  gauge(name: string): (value: number) => void {
    const at = this.#slot("gauge", name);
    if (at === undefined) return () => {};
    const slot = new Float64Array(this.#buffer, at + METRIC.value, 1);
    return (value) => void (slot[0] = value);
  }

  /** Notes one observation. */
  histogram(name: string): (value: number) => void {
    const at = this.#slot("histogram", name);
    if (at === undefined) return () => {};
    const count = new BigUint64Array(this.#buffer, at + METRIC.count, 1);
    const sum = new Float64Array(this.#buffer, at + METRIC.value, 1);
    const buckets = new BigUint64Array(this.#buffer, at + METRIC.buckets, METRIC_BUCKETS);
    return (value) => {
      count[0]!++;
      sum[0]! += value;
      buckets[bucketOf(value)]!++;
    };
  }

  /** Byte of the metric's slot, which is found or taken; other threads take theirs at the same time. */
  #slot(kind: MetricKind, name: string): number | undefined {
    const bytes = new TextEncoder().encode(name).subarray(0, LONGEST_NAME);
    const number = KINDS[kind];
    let hash = 2166136261 + this.#component * 31 + number;
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
    for (let probe = 0; probe < METRIC_MAX; probe++) {
      const at = this.#metricsAt + (((hash >>> 0) + probe) % METRIC_MAX) * SIZE;
      const words = new Int32Array(this.#buffer, at, METRIC.name >> 2);
      const named = new Uint8Array(this.#buffer, at + METRIC.name, bytes.length);
      const state = METRIC.state >> 2;
      if (Atomics.compareExchange(words, state, FREE, NAMING) === FREE) {
        words[METRIC.kind >> 2] = number;
        words[METRIC.component >> 2] = this.#component;
        words[METRIC.name_length >> 2] = bytes.length;
        named.set(bytes);
        Atomics.store(words, state, IN_USE);
        return at;
      }
      while (Atomics.load(words, state) !== IN_USE);
      if (
        words[METRIC.kind >> 2] === number && words[METRIC.component >> 2] === this.#component &&
        words[METRIC.name_length >> 2] === bytes.length &&
        bytes.every((byte, i) => named[i] === byte)
      ) return at;
    }
    const dropped = RecorderHeaderLayout.offset.metric_dropped;
    Atomics.add(new BigUint64Array(this.#buffer, dropped, 1), 0, 1n);
    return undefined;
  }
}

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** The bucket of the power of two that `value` lies behind. */
function bucketOf(value: number): number {
  if (!(value > 0)) return 0;
  double[0] = value;
  return Math.min(Math.max((words[1]! >>> 20) - FIRST_EXPONENT, 0), METRIC_BUCKETS - 1);
}
