import { ContentType, Status } from "../../../ffi/layout.ts";
import { SettingError } from "../../config/setting_error.ts";
import { parseSize } from "../../config/units.ts";
import type { Batch } from "../../event/batch.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { LineCutter } from "./line_cutter.ts";
import { lineLimit } from "./settings.ts";

const LARGEST_CHUNK = 16 * 1024 * 1024;

interface Settings {
  format: "lines" | "ndjson" | "raw";
  max_line: string | number;
  chunk_size: string | number;
}

/** Events from the standard input of busbar. */
export function stdin(context: BuiltinContext): BuiltinComponent {
  return new StandardInputSource(context);
}

stdin.check = (config: Record<string, unknown>) => longestEvent(config as unknown as Settings);

/** Bytes of a line, or of a chunk, at most. */
function longestEvent({ format, max_line, chunk_size }: Settings): number {
  if (format !== "raw") return lineLimit(max_line);
  const bytes = parseSize(chunk_size);
  if (bytes >= 1 && bytes <= LARGEST_CHUNK) return bytes;
  throw new SettingError(
    ["chunk_size"],
    `Cannot cut events of ${bytes} bytes: chunk_size is from 1 to ${LARGEST_CHUNK}`,
  );
}

class StandardInputSource implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #cutter: LineCutter;
  /** Bytes of an event where lines do not matter; 0: lines do. */
  readonly #chunk: number;
  #connection: Deno.UnixConn | undefined;
  #reading: Promise<void> | undefined;
  /** Resolved when lines have been taken. */
  #taken: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #stopping = false;
  #failure = "";
  #truncated = 0;
  readonly #countTruncated: (add?: number) => void;

  constructor(context: BuiltinContext) {
    const settings = context.config as unknown as Settings;
    const { format } = settings;
    const longest = longestEvent(settings);
    this.#context = context;
    this.#countTruncated = context.metrics.counter("lines_truncated_total");
    this.#chunk = format === "raw" ? longest : 0;
    const contentType = { lines: ContentType.TEXT, ndjson: ContentType.JSON, raw: 0 }[format];
    this.#cutter = new LineCutter({
      maxLine: longest,
      skipEmpty: format === "ndjson",
      event: { payload: new Uint8Array(0), contentType },
    });
  }

  async start(): Promise<void> {
    this.#ended = this.#stopping = false;
    this.#failure = "";
    const connection = this.#connection = await this.#context.standardInput();
    const first = new Uint8Array(1);
    if (await connection.read(first) === null) {
      throw new Error("Cannot read standard input: the host has closed the connection");
    }
    const withinLine = first[0] === 1 && this.#chunk === 0;
    if (withinLine) {
      this.#context.log("warning", "Standard input goes on within a line, the rest is left out");
    }
    this.#cutter.begin(withinLine);
    this.#reading = this.#read(connection);
  }

  poll(batch: Batch): number {
    const cutter = this.#cutter;
    const had = batch.count;
    const all = this.#chunk > 0 ? cutter.cutAnywhere(batch, this.#chunk) : cutter.cut(batch);
    this.#noteTruncated();
    this.#taken?.resolve();
    if (!all) return Status.OK;
    if (!this.#ended) return batch.count > had ? Status.OK : Status.AGAIN;
    if (!cutter.cutLast(batch)) return Status.OK;
    if (this.#failure === "") return Status.DONE;
    throw new Error(this.#failure);
  }

  /** Reads on to where the host has stopped giving, and gives back what has not become events. */
  async stop(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    this.#stopping = true;
    this.#taken?.resolve();
    try {
      await connection.write(Uint8Array.of(this.#cutter.withinLine ? 1 : 0));
      await this.#reading;
      const { rest } = this.#cutter;
      for (let at = 0; at < rest.length;) at += await connection.write(rest.subarray(at));
      this.#cutter.begin(false);
    } finally {
      connection.close();
    }
  }

  async #read(connection: Deno.UnixConn): Promise<void> {
    try {
      for (;;) {
        const room = this.#cutter.room({ grow: this.#stopping });
        if (room === undefined) {
          this.#taken = Promise.withResolvers();
          await this.#taken.promise;
          continue;
        }
        const length = await connection.read(room);
        if (length === null) break;
        this.#cutter.event.timestamp = BigInt(Date.now()) * 1_000_000n;
        this.#cutter.added(length);
        this.#context.wake();
      }
    } catch (error) {
      this.#failure = `Cannot read standard input: ${(error as Error).message}`;
    }
    this.#ended = true;
    this.#context.wake();
  }

  #noteTruncated(): void {
    const { truncated } = this.#cutter;
    if (truncated === this.#truncated) return;
    this.#countTruncated(truncated - this.#truncated);
    this.#truncated = truncated;
  }
}
