import { ContentType, Operation, Status } from "../../../ffi/layout.ts";
import { SettingError } from "../../config/setting_error.ts";
import { parseSize } from "../../config/units.ts";
import { attributeBytes } from "../../event/attributes.ts";
import type { Batch } from "../../event/batch.ts";
import { append, type EventInit } from "../../event/writer.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import type { Call, CallAnswer } from "../call.ts";
import { EncodingError, unpacked } from "./http_encoding.ts";
import { elements, lines, type Span, type Splitter, whole } from "./http_split.ts";
import { pointerReader } from "./json_pointer.ts";

interface Settings {
  format: "auto" | "event" | "ndjson" | "array";
  headers: string[];
  key_header?: string;
  key_pointer?: string;
  operation: "message" | "insert" | "update" | "delete";
  queue: string | number;
}

/** A request whose events are not accepted yet. */
interface Waiting {
  body: Uint8Array;
  events: Splitter;
  /** The event that is to be appended next. */
  next: Span | undefined;
  event: EventInit;
  /** Events of the source up to its last one, once that is appended. */
  end: number;
  settle(answer: CallAnswer): void;
}

const RETRY_AFTER = "1";
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** Takes events from requests, which are answered once the pipeline has them. */
export function httpSource(context: BuiltinContext): BuiltinComponent {
  return new HttpSource(context);
}

httpSource.check = (config: Record<string, unknown>) => checkKeys(config as unknown as Settings);

function checkKeys({ key_header, key_pointer }: Settings): void {
  if (key_header === undefined || key_pointer === undefined) return;
  throw new SettingError(
    ["key_pointer"],
    "Cannot take keys from key_header and key_pointer: name one of them",
  );
}

class HttpSource implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #settings: Settings;
  readonly #queueBytes: number;
  readonly #keyOf: ((json: Uint8Array) => string | undefined) | undefined;
  readonly #position = new Uint8Array(8);
  readonly #positionView = new DataView(this.#position.buffer);
  readonly #refused: (add?: number) => void;
  readonly #waitingBytes: (value: number) => void;
  /** Not all of their events are in batches. */
  #queue: Waiting[] = [];
  #queued = 0;
  /** All of their events are, and are to be on disk. */
  #unsafe: Waiting[] = [];
  #appended = 0;
  #open = false;

  constructor(context: BuiltinContext) {
    this.#context = context;
    this.#settings = context.config as unknown as Settings;
    const { queue, key_pointer } = this.#settings;
    this.#queueBytes = parseSize(queue);
    checkKeys(this.#settings);
    this.#keyOf = key_pointer === undefined ? undefined : pointerReader(key_pointer);
    this.#refused = context.metrics.counter("requests_refused_total");
    this.#waitingBytes = context.metrics.gauge("queued_bytes");
  }

  start(): void {
    const { position } = this.#context;
    this.#appended = position.length === 8
      ? Number(new DataView(position.buffer, position.byteOffset).getBigUint64(0, true))
      : 0;
    this.#open = true;
  }

  /** Who was not answered has not been told that anything is safe, and sends it again. */
  stop(): void {
    this.#open = false;
    for (const { settle } of [...this.#queue.splice(0), ...this.#unsafe.splice(0)]) {
      settle(this.#refusal(503, "Stopping", "the pipeline stops"));
    }
    this.#queued = 0;
  }

  receive(call: Call): Promise<CallAnswer> | CallAnswer {
    if (!this.#open) return this.#refusal(503, "NotRunning", "the pipeline does not run");
    if (!this.#hasRoom(call.body.length)) return this.#full();
    let body: Uint8Array;
    let events: Splitter;
    try {
      body = unpacked(call.body, headerOf(call, "content-encoding") ?? "");
      events = this.#split(call, body);
    } catch (error) {
      const { status, code, message } = error instanceof EncodingError ? error : {
        status: 400,
        code: "Invalid",
        message: `Cannot read the body as a JSON array: ${(error as Error).message}`,
      };
      return answer(status, { error: { code, message } });
    }
    if (!this.#hasRoom(body.length)) return this.#full();
    if (events.count === 0) return answer(202, { accepted: 0 });
    const { promise, resolve } = Promise.withResolvers<CallAnswer>();
    this.#queue.push({
      body,
      events,
      next: events.next(),
      event: this.#eventOf(call),
      end: 0,
      settle: resolve,
    });
    this.#queued += body.length;
    this.#waitingBytes(this.#queued);
    this.#context.wake();
    return promise;
  }

  poll(batch: Batch): number {
    let appended = 0;
    for (let request = this.#queue[0]; request !== undefined; request = this.#queue[0]) {
      const before = this.#appended;
      const complete = this.#append(batch, request);
      appended += this.#appended - before;
      if (!complete) break;
      this.#queue.shift();
      this.#queued -= request.body.length;
      this.#finish(request);
    }
    this.#waitingBytes(this.#queued);
    if (appended > 0) {
      this.#positionView.setBigUint64(0, BigInt(this.#appended), true);
      batch.setPosition(this.#position);
    }
    return this.#queue.length > 0 ? Status.OK : Status.AGAIN;
  }

  commit(position: Uint8Array): number {
    const safe = Number(
      new DataView(position.buffer, position.byteOffset).getBigUint64(0, true),
    );
    while (this.#unsafe.length > 0 && this.#unsafe[0]!.end <= safe) {
      this.#accept(this.#unsafe.shift()!);
    }
    return Status.OK;
  }

  /** Whether all of its events are in the batch, or in those before. */
  #append(batch: Batch, request: Waiting): boolean {
    const { body, events, event } = request;
    while (request.next !== undefined) {
      event.payload = body.subarray(request.next[0], request.next[1]);
      if (this.#keyOf !== undefined) {
        const key = this.#keyOf(event.payload);
        event.key = key === undefined ? EMPTY : encoder.encode(key);
      }
      if (!append(batch, event)) return false;
      this.#appended++;
      request.next = events.next();
    }
    return true;
  }

  #finish(request: Waiting): void {
    request.end = this.#appended;
    if (this.#context.buffered) this.#unsafe.push(request);
    else this.#accept(request);
  }

  #accept({ events, settle }: Waiting): void {
    settle(answer(202, { accepted: events.count }));
  }

  #split(call: Call, body: Uint8Array): Splitter {
    const { format } = this.#settings;
    if (format === "ndjson") return lines(body);
    if (format === "array") return elements(body);
    const isLines = format === "auto" && LINES.test(typeOf(call));
    return isLines ? lines(body) : whole(body);
  }

  #eventOf(call: Call): EventInit {
    const { format, headers: wanted, key_header, operation } = this.#settings;
    const type = typeOf(call);
    const isJson = format === "ndjson" || format === "array" || LINES.test(type) ||
      /^application\/([^;]*\+)?json\b/.test(type);
    const key = key_header === undefined ? undefined : headerOf(call, key_header.toLowerCase());
    const attributes = call.headers.filter(([name]) =>
      wanted.some((one) => one.toLowerCase() === name)
    );
    return {
      payload: EMPTY,
      contentType: isJson
        ? ContentType.JSON
        : type.startsWith("text/")
        ? ContentType.TEXT
        : ContentType.BYTES,
      operation: OPERATIONS[operation],
      timestamp: BigInt(this.#context.now()) * 1_000_000n,
      ...(key !== undefined && { key: encoder.encode(key) }),
      ...(attributes.length > 0 && { attributes: attributeBytes(attributes) }),
    };
  }

  /** One request may always wait, however long it is. */
  #hasRoom(bytes: number): boolean {
    return this.#queued === 0 || this.#queued + bytes <= this.#queueBytes;
  }

  #full(): CallAnswer {
    return this.#refusal(429, "Busy", `${this.#queued} bytes wait already`);
  }

  #refusal(status: number, code: string, why: string): CallAnswer {
    this.#refused();
    const message = `Cannot take events for "${this.#context.pipelineId}": ${why}`;
    const result = answer(status, { error: { code, message } });
    result.headers.push(["retry-after", RETRY_AFTER]);
    return result;
  }
}

const LINES = /^application\/(x-)?(ndjson|jsonl|json-?lines)\b/;

const OPERATIONS = {
  message: Operation.MESSAGE,
  insert: Operation.INSERT,
  update: Operation.UPDATE,
  delete: Operation.DELETE,
} as const;

function typeOf(call: Call): string {
  return headerOf(call, "content-type")?.toLowerCase() ?? "";
}

function headerOf({ headers }: Call, wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1];
}

function answer(status: number, body: unknown): CallAnswer {
  return {
    status,
    headers: [["content-type", "application/json"]],
    body: encoder.encode(JSON.stringify(body)),
  };
}
