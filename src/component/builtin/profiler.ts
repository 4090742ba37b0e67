import { Status } from "../../../ffi/layout.ts";
import { parseDuration } from "../../config/units.ts";
import type { Batch } from "../../event/batch.ts";
import { RecordReader } from "../../event/reader.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { LatencyHistogram } from "./latency_histogram.ts";
import { replaceFile } from "./replace_file.ts";

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const PERCENTILES = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 };

interface Settings {
  interval: string;
  file?: string;
}

/** Percentiles in ms. */
type Summary = Record<keyof typeof PERCENTILES | "max", number> & { count: number };

/** Measures how long events take. */
export function profiler(context: BuiltinContext): BuiltinComponent {
  return new Profiler(context);
}

/** One kind of duration, since the last summary and in all. */
class Measure {
  readonly recent = new LatencyHistogram();
  readonly all = new LatencyHistogram();
  readonly #gauges: [part: number, set: (value: number) => void][];

  constructor(context: BuiltinContext, name: string) {
    this.#gauges = Object.entries(PERCENTILES).map(([label, part]) => [
      part,
      context.metrics.gauge(`${name}_latency_${label}_seconds`),
    ]);
  }

  show(): void {
    for (const [part, set] of this.#gauges) set(this.recent.percentile(part) / 1e9);
  }

  turn(): void {
    this.all.addAll(this.recent);
    this.recent.clear();
  }
}

class Profiler implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #interval: number;
  readonly #file: string | undefined;
  readonly #reader = new RecordReader();
  /** From an event's timestamp on, and since it left its source. */
  readonly #event: Measure;
  readonly #pipeline: Measure;
  #withoutTime = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #writing = Promise.resolve();

  constructor(context: BuiltinContext) {
    const { interval, file } = context.config as unknown as Settings;
    const suffix = context.partitionCount > 1 ? `.${context.partitionIndex}` : "";
    this.#context = context;
    this.#interval = Math.min(parseDuration(interval), LONGEST_TIMER_MS);
    this.#file = file === undefined ? undefined : file + suffix;
    this.#event = new Measure(context, "event");
    this.#pipeline = new Measure(context, "pipeline");
  }

  start(): void {
    if (this.#interval > 0) this.#timer = setInterval(() => this.#summarise(), this.#interval);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#summarise();
    await this.#writing;
  }

  write(batch: Batch): number {
    const reader = this.#reader.open(batch);
    const now = Date.now() * 1e6;
    const { leftAt } = batch;
    const inPipeline = (performance.now() - leftAt) * 1e6;
    while (reader.next()) {
      const { timestamp } = reader;
      if (timestamp === 0n) this.#withoutTime++;
      else this.#event.recent.add(now - Number(timestamp));
      if (leftAt > 0) this.#pipeline.recent.add(inPipeline);
    }
    if (reader.malformed === "") return Status.OK;
    batch.done = reader.index + 1;
    return Status.INVALID;
  }

  #summarise(): void {
    const event = this.#event.recent;
    const pipeline = this.#pipeline.recent;
    if (event.count + pipeline.count === 0) return;
    this.#event.show();
    this.#pipeline.show();
    this.#context.log("info", "Latency", {
      ...named("event", summary(event)),
      ...named("pipeline", summary(pipeline)),
    });
    const recent = { event: summary(event), pipeline: summary(pipeline) };
    this.#event.turn();
    this.#pipeline.turn();
    const all = { event: summary(this.#event.all), pipeline: summary(this.#pipeline.all) };
    this.#write({ ...all, without_timestamp: this.#withoutTime, recent });
  }

  #write(content: Record<string, unknown>): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#writing = this.#writing
      .then(() => replaceFile(file, `${JSON.stringify(content)}\n`))
      .catch((error: Error) => {
        this.#context.log("error", "Latencies were not written", { error: error.message });
      });
  }
}

function summary(histogram: LatencyHistogram): Summary {
  const ms = (ns: number) => Math.round(ns / 1000) / 1000;
  const percentiles = Object.entries(PERCENTILES).map(([label, part]) => [
    label,
    ms(histogram.percentile(part)),
  ]);
  return { count: histogram.count, ...Object.fromEntries(percentiles), max: ms(histogram.max) };
}

/** As fields of a log record: `event_p50_ms` and so on; none where nothing was measured. */
function named(what: string, { count, ...rest }: Summary): Record<string, number> {
  if (count === 0) return {};
  const fields = Object.entries(rest).map(([label, ms]) => [`${what}_${label}_ms`, ms]);
  return { [`${what}_count`]: count, ...Object.fromEntries(fields) };
}
