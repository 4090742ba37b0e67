import { RecordFlag, Status } from "../../../ffi/layout.ts";
import { parseDuration } from "../../config/units.ts";
import type { Batch } from "../../event/batch.ts";
import { RecordReader } from "../../event/reader.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { JsonField } from "./json_field.ts";
import { CountsFile } from "./counts_file.ts";
import { sourceName } from "./event_text.ts";

/** Characters of groups that a log record shows, the largest first. */
const SHOWN = 1024;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const NONE = "none";
const OTHER = "other";

interface Settings {
  group_by?: string;
  max_groups: number;
  interval: string;
  file?: string;
}

/** Counts events. What `flush` has written to the file is counted on from after a crash. */
export function stats(context: BuiltinContext): BuiltinComponent {
  return new Counter(context);
}

class Counter implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #field: JsonField | undefined;
  readonly #maxGroups: number;
  readonly #interval: number;
  readonly #file: CountsFile | undefined;
  readonly #reader = new RecordReader();
  #events = 0;
  #bytes = 0;
  #marked = 0;
  #groups = new Map<string, number>();
  /** By number of the source: the last event counted, and the last that the file held when a crash came. */
  #counted: number[] = [];
  #replayed: number[] = [];
  /** When it was started, and what had been counted before. */
  #startedAt = 0;
  #before = 0;
  #lastAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #summarised = 0;

  constructor(context: BuiltinContext) {
    const settings = context.config as unknown as Settings;
    this.#context = context;
    this.#field = settings.group_by === undefined ? undefined : new JsonField(settings.group_by);
    this.#maxGroups = settings.max_groups;
    this.#interval = Math.min(parseDuration(settings.interval), LONGEST_TIMER_MS);
    if (settings.file !== undefined) {
      const suffix = context.partitionCount > 1 ? `.${context.partitionIndex}` : "";
      this.#file = new CountsFile(settings.file + suffix);
    }
  }

  async start(): Promise<void> {
    await this.#resume();
    this.#startedAt = this.#lastAt = performance.now();
    this.#before = this.#events;
    if (this.#interval > 0) this.#timer = setInterval(() => this.#summarise(), this.#interval);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#log();
    await this.#file?.write(() => this.#counts());
  }

  write(batch: Batch): number {
    const reader = this.#reader.open(batch);
    while (reader.next()) {
      const { sequence, source, flags, payloadLength } = reader;
      if (sequence <= (this.#replayed[source] ?? 0) && sequence > 0) continue;
      this.#counted[source] = Math.max(this.#counted[source] ?? 0, sequence);
      this.#events++;
      this.#bytes += payloadLength;
      if ((flags & RecordFlag.MARKED) !== 0) this.#marked++;
      if (this.#field !== undefined) this.#group(this.#field.find(reader.payload) ?? NONE);
    }
    this.#lastAt = performance.now();
    if (reader.malformed === "") return Status.OK;
    batch.done = reader.index + 1;
    return Status.INVALID;
  }

  async flush(): Promise<number> {
    return await this.#save() ? Status.OK : Status.FAILED;
  }

  #group(name: string): void {
    const before = this.#groups.get(name);
    if (before !== undefined) this.#groups.set(name, before + 1);
    else if (this.#groups.size < this.#maxGroups) this.#groups.set(name, 1);
    else this.#groups.set(OTHER, (this.#groups.get(OTHER) ?? 0) + 1);
  }

  /** Goes on counting where the file ends, if events before were acknowledged: then this run began in another process. */
  async #resume(): Promise<void> {
    const { acknowledged } = this.#context;
    if (this.#events > 0 || !acknowledged.some(({ sequence }) => sequence > 0)) return;
    const saved = await this.#file?.read();
    if (saved === undefined) return;
    this.#events = saved.events;
    this.#bytes = saved.bytes;
    this.#marked = saved.marked;
    this.#groups = new Map(Object.entries(saved.groups));
    this.#replayed = this.#context.sources.map((id) => saved.counted_to[id] ?? 0);
    this.#counted = [...this.#replayed];
  }

  #counts() {
    const seconds = (this.#lastAt - this.#startedAt) / 1000;
    return {
      events: this.#events,
      bytes: this.#bytes,
      marked: this.#marked,
      events_per_second: seconds > 0
        ? Math.round((this.#events - this.#before) / seconds * 10) / 10
        : 0,
      groups: Object.fromEntries(this.#groups),
      counted_to: Object.fromEntries(
        this.#counted.map((sequence, source) => [sourceName(this.#context, source), sequence]),
      ),
    };
  }

  #summarise(): void {
    if (this.#events === this.#summarised) return;
    this.#log();
    void this.#save();
  }

  /** Whether the file, if there is to be one, holds everything counted until now. */
  async #save(): Promise<boolean> {
    try {
      await this.#file?.write(() => this.#counts());
      return true;
    } catch (error) {
      this.#context.log("error", "Statistics were not written, they are tried again", {
        error: (error as Error).message,
      });
      return false;
    }
  }

  #log(): void {
    this.#summarised = this.#events;
    const { groups, counted_to: _, ...counts } = this.#counts();
    this.#context.log("info", "Statistics", {
      ...counts,
      groups: this.#field === undefined ? undefined : largest(groups),
    });
  }
}

function largest(groups: Record<string, number>): Record<string, number> {
  let room = SHOWN;
  const sorted = Object.entries(groups).sort(([, a], [, b]) => b - a);
  const end = sorted.findIndex((group) => (room -= JSON.stringify(group).length) < 0);
  return Object.fromEntries(end < 0 ? sorted : sorted.slice(0, end));
}
