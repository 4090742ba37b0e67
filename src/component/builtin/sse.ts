import { Status } from "../../../ffi/layout.ts";
import { SettingError } from "../../config/setting_error.ts";
import { parseDuration, parseSize } from "../../config/units.ts";
import type { Batch } from "../../event/batch.ts";
import { RecordReader } from "../../event/reader.ts";
import { LastingServer } from "../../lasting_server.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { jsonLine } from "./event_line.ts";
import { SseClients } from "./sse_clients.ts";
import { type SentEvent, SseHistory } from "./sse_history.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const HEARTBEAT = encoder.encode(":\n\n");

interface Settings {
  listen: string;
  path: string;
  format: "ndjson" | "payload";
  event?: string;
  history: number;
  history_bytes: string | number;
  heartbeat: string;
  max_clients: number;
  max_backlog: string | number;
  cors_origin?: string;
}

/** Shows events to whoever listens. */
export function sse(context: BuiltinContext): BuiltinComponent {
  return new SseReaction(context, context.config as unknown as Settings);
}

sse.check = (config: Record<string, unknown>) => addressOf((config as unknown as Settings).listen);

function addressOf(listen: string): { hostname: string; port: number } {
  const colon = listen.lastIndexOf(":");
  const port = Number(listen.slice(colon + 1));
  if (port <= 65_535) return { hostname: listen.slice(0, colon).replace(/^\[|\]$/g, ""), port };
  throw new SettingError(["listen"], `Cannot listen on port ${port}: the last one is 65535`);
}

class SseReaction implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #settings: Settings;
  readonly #reader = new RecordReader();
  readonly #history: SseHistory;
  readonly #clients: SseClients;
  #server: LastingServer | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Tells numbers of this run from those of others. */
  #run = "";
  #number = 0;

  constructor(context: BuiltinContext, settings: Settings) {
    this.#context = context;
    this.#settings = settings;
    this.#history = new SseHistory({
      events: settings.history,
      bytes: parseSize(settings.history_bytes),
    });
    this.#clients = new SseClients({
      maxBacklog: parseSize(settings.max_backlog),
      dropped: context.metrics.counter("clients_dropped_total"),
      changed: context.metrics.gauge("clients"),
    });
  }

  start(): void {
    const { listen, heartbeat } = this.#settings;
    const { hostname, port } = addressOf(listen);
    this.#run = Date.now().toString(36);
    this.#number = 0;
    const onListen = ({ port }: Deno.NetAddr) =>
      this.#context.log("info", "Listening", { address: hostname, port });
    try {
      this.#server = new LastingServer({ hostname, port }, {
        listen: ({ hostname, port }) =>
          Deno.serve({ hostname, port, onListen }, (request) => this.#answer(request)),
        again: () =>
          this.#context.log("error", "Nobody could connect: too many files were open", {}),
      });
    } catch (cause) {
      throw new Error(`Cannot listen on ${listen}: ${(cause as Error).message}`, { cause });
    }
    const interval = parseDuration(heartbeat);
    if (interval > 0) this.#timer = setInterval(() => this.#clients.send(HEARTBEAT), interval);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#clients.close();
    await this.#server?.close();
    this.#server = undefined;
    this.#history.clear();
  }

  write(batch: Batch): number {
    const reader = this.#reader.open(batch);
    const isIdle = this.#clients.count === 0 && !this.#history.keeps;
    const events: SentEvent[] = [];
    while (reader.next()) {
      this.#number++;
      if (isIdle) continue;
      const event = { number: this.#number, bytes: this.#encode(reader) };
      events.push(event);
      this.#history.add(event);
    }
    if (this.#clients.count > 0 && events.length > 0) this.#clients.send(join(events));
    if (reader.malformed === "") return Status.OK;
    batch.done = reader.index + 1;
    return Status.INVALID;
  }

  #encode(reader: RecordReader): Uint8Array {
    const { format, event } = this.#settings;
    const data = format === "ndjson"
      ? jsonLine(reader, this.#context).slice(0, -1)
      : decoder.decode(reader.payload);
    const type = event === undefined ? "" : `event: ${event}\n`;
    const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
    return encoder.encode(`id: ${this.#run}-${this.#number}\n${type}${lines}\n`);
  }

  #answer(request: Request): Response {
    const url = URL.parse(request.url);
    // A Host that is none.
    if (url === null) return new Response("Bad request\n", { status: 400 });
    const { pathname, searchParams } = url;
    const { path, cors_origin, max_clients } = this.#settings;
    const headers = new Headers();
    if (cors_origin !== undefined) {
      headers.set("access-control-allow-origin", cors_origin);
      if (cors_origin !== "*") headers.set("vary", "origin");
    }
    if (pathname !== path) return new Response("Not found\n", { status: 404, headers });
    if (request.method === "OPTIONS") {
      headers.set("access-control-allow-methods", "GET");
      headers.set("access-control-allow-headers", "last-event-id, cache-control");
      return new Response(null, { status: 204, headers });
    }
    if (request.method !== "GET") {
      headers.set("allow", "GET");
      return new Response("Method not allowed\n", { status: 405, headers });
    }
    const wanted = searchParams.get("last");
    if (wanted !== null && !/^\d{1,9}$/.test(wanted)) {
      return new Response("last is a number of events\n", { status: 400, headers });
    }
    if (this.#clients.count >= max_clients) {
      headers.set("retry-after", "5");
      return new Response("Too many clients\n", { status: 503, headers });
    }
    const lastId = request.headers.get("last-event-id") ?? searchParams.get("lastEventId");
    const missed = lastId !== null
      ? this.#missedSince(lastId)
      : this.#history.last(Number(wanted ?? 0));
    headers.set("content-type", "text/event-stream");
    // Compressed, events would wait until there are enough of them.
    headers.set("cache-control", "no-cache, no-transform");
    headers.set("x-accel-buffering", "no");
    const first = [HEARTBEAT, ...missed.map(({ bytes }) => bytes)];
    return new Response(this.#clients.add(first), { headers });
  }

  /** What came after the event with this id; all there is when it is of another run. */
  #missedSince(id: string): SentEvent[] {
    const dash = id.lastIndexOf("-");
    const isKnown = id.slice(0, dash) === this.#run && /^\d{1,15}$/.test(id.slice(dash + 1));
    return this.#history.after(isKnown ? Number(id.slice(dash + 1)) : 0);
  }
}

function join(events: readonly SentEvent[]): Uint8Array {
  const length = events.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const all = new Uint8Array(length);
  let at = 0;
  for (const { bytes } of events) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}
