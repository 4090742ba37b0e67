import { join } from "node:path";
import { ContentType, Status } from "../../../ffi/layout.ts";
import type { Batch } from "../../event/batch.ts";
import { append } from "../../event/writer.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { type Fire, Schedules } from "./schedules.ts";

/** Timers do not see that the clock was set, or that the machine slept: so often it is looked at, in ms. */
const LONGEST_TIMER_MS = 60_000;
const encoder = new TextEncoder();

interface Settings {
  schedule: string | string[];
  timezone: string;
  payload?: string;
  expression?: string;
  catch_up: "none" | "last" | "all";
}

/** Makes a payload of a time. */
type PayloadOf = (fire: Fire) => Uint8Array;

/** An event whenever a schedule says so. */
export async function cron(context: BuiltinContext): Promise<BuiltinComponent> {
  const settings = context.config as unknown as Settings;
  const schedules = schedulesOf(settings);
  return new CronSource(context, schedules, await payloadMaker(settings, schedules));
}

cron.check = (config: Record<string, unknown>) => schedulesOf(config as unknown as Settings);

function schedulesOf({ schedule, timezone }: Settings): Schedules {
  return new Schedules([schedule].flat(), timezone);
}

async function payloadMaker(
  { payload, expression }: Settings,
  schedules: Schedules,
): Promise<PayloadOf> {
  if (payload !== undefined || expression === undefined) {
    const fixed = encoder.encode(payload ?? "");
    return () => fixed;
  }
  // Loaded only where there is one.
  const { compileExpression } = await import("../../expression/expression.ts");
  const { toJsonText } = await import("../../expression/json_value.ts");
  const compiled = compileExpression(expression, "any", {
    variables: { time: "google.protobuf.Timestamp", schedule: "string" },
  });
  return ({ time, index }) => {
    const values = { time: new Date(time), schedule: schedules.patterns[index] };
    return encoder.encode(toJsonText(compiled.evaluateWith(values)));
  };
}

class CronSource implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #schedules: Schedules;
  readonly #payloadOf: PayloadOf;
  readonly #contentType: number;
  readonly #catchUp: Settings["catch_up"];
  /** Holds what was given and may not be acknowledged yet, where that does not follow from the schedules. */
  readonly #givenFile: string;
  #given: Fire[] = [];
  /** The last one that was given, or left out. */
  #last: Fire = { time: 0, index: 0 };
  /** Given before a crash: they come again, before all others. */
  #again: Fire[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: BuiltinContext, schedules: Schedules, payloadOf: PayloadOf) {
    const { catch_up, expression } = context.config as unknown as Settings;
    this.#context = context;
    this.#schedules = schedules;
    this.#payloadOf = payloadOf;
    this.#contentType = expression === undefined ? ContentType.TEXT : ContentType.JSON;
    this.#catchUp = catch_up;
    this.#givenFile = join(context.dataDirectory, "given.json");
  }

  start(): void {
    const now: Fire = { time: Date.now(), index: Infinity };
    const position = this.#decode(this.#context.position);
    this.#last = position ?? now;
    this.#given = this.#again = [];
    if (this.#catchUp === "all") return;
    if (position !== undefined) {
      this.#given = this.#readGiven().filter((fire) => isAfter(fire, position));
      this.#again = [...this.#given];
    }
    const done = this.#given.at(-1) ?? position;
    if (done === undefined) return;
    const missed = this.#catchUp === "last" ? this.#schedules.lastUpTo(now.time) : undefined;
    this.#last = missed !== undefined && isAfter(missed, done)
      ? { time: missed.time, index: missed.index - 1 }
      : isAfter(now, done)
      ? now
      : done;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  poll(batch: Batch): number {
    const fires: Fire[] = [];
    let full = false;
    while (this.#again.length > 0 && !full) {
      if (this.#append(batch, this.#again[0]!)) this.#again.shift();
      else full = true;
    }
    if (full) return Status.OK;
    for (;;) {
      const next = this.#schedules.after(this.#last);
      if (next === undefined) return this.#end(fires, Status.DONE);
      const wait = next.time - Date.now();
      if (wait > 0) {
        this.#wakeIn(wait);
        return this.#end(fires, Status.AGAIN);
      }
      if (!this.#append(batch, next)) return this.#end(fires, Status.OK);
      this.#last = next;
      fires.push(next);
    }
  }

  commit(position: Uint8Array): number {
    const committed = this.#decode(position);
    if (committed !== undefined) {
      this.#given = this.#given.filter((fire) => isAfter(fire, committed));
    }
    return Status.OK;
  }

  #append(batch: Batch, fire: Fire): boolean {
    const appended = append(batch, {
      payload: this.#payloadOf(fire),
      key: encoder.encode(this.#schedules.patterns[fire.index] ?? ""),
      contentType: this.#contentType,
      timestamp: BigInt(fire.time) * 1_000_000n,
    });
    if (appended) batch.setPosition(encode(fire));
    return appended;
  }

  /** Notes what is given before it is, so that it can be given again. */
  #end(fires: readonly Fire[], status: number): number {
    if (fires.length > 0 && this.#catchUp !== "all") {
      this.#given.push(...fires);
      const next = `${this.#givenFile}.tmp`;
      Deno.writeTextFileSync(next, JSON.stringify(this.#given));
      syncFile(next);
      Deno.renameSync(next, this.#givenFile);
    }
    return status;
  }

  #readGiven(): Fire[] {
    try {
      return JSON.parse(Deno.readTextFileSync(this.#givenFile)) as Fire[];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  #wakeIn(ms: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#context.wake();
    }, Math.min(ms, LONGEST_TIMER_MS));
  }

  #decode(position: Uint8Array): Fire | undefined {
    if (position.length === 0) return undefined;
    if (position.length !== 12) {
      throw new Error(
        `Cannot resume at a position of ${position.length} bytes: one of cron has 12`,
      );
    }
    const view = new DataView(position.buffer, position.byteOffset, position.byteLength);
    return { time: view.getFloat64(0, true), index: view.getUint32(8, true) };
  }
}

/** Else a power failure might leave an empty file. */
function syncFile(path: string): void {
  using file = Deno.openSync(path);
  file.syncSync();
}

function encode({ time, index }: Fire): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, time, true);
  view.setUint32(8, index, true);
  return bytes;
}

function isAfter(fire: Fire, other: Fire): boolean {
  return fire.time > other.time || (fire.time === other.time && fire.index > other.index);
}
