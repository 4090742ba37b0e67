import { setTimeout as pause } from "node:timers/promises";
import { Status } from "../../../ffi/layout.ts";
import { blaming } from "../../config/setting_error.ts";
import { parseDuration, parseSize } from "../../config/units.ts";
import type { Batch } from "../../event/batch.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { type BodyFormat, BodyParts } from "./http_bodies.ts";
import {
  checkUrl,
  EventError,
  type Group,
  type GroupRules,
  groupsOf,
  headerValue,
} from "./http_groups.ts";
import { HttpSender, NotNow, NotWanted } from "./http_sender.ts";

interface Settings {
  url?: string;
  url_from?: string;
  method: string;
  format: BodyFormat;
  body?: string;
  headers: Record<string, string>;
  headers_from: Record<string, string>;
  max_events: number;
  max_bytes: string | number;
  concurrency: number;
  timeout: string;
  invalid_statuses: number[];
}

/** Sends events in the bodies of HTTP requests. */
export async function httpReaction(context: BuiltinContext): Promise<BuiltinComponent> {
  const settings = context.config as unknown as Settings;
  return new HttpReaction(context, settings, await rulesOf(settings));
}

httpReaction.check = (config: Record<string, unknown>) => rulesOf(config as unknown as Settings);

async function rulesOf(settings: Settings): Promise<GroupRules> {
  const { url, url_from, format, body, headers, headers_from } = settings;
  const made = Object.entries(headers_from);
  if (url !== undefined) blaming(["url"], () => checkUrl(url));
  // What cannot be is refused here, and not with every request.
  for (const name of Object.keys(headers_from)) {
    blaming(["headers_from", name], () => new Headers({ [name]: "" }));
  }
  for (const [name, value] of Object.entries(headers)) {
    blaming(["headers", name], () => new Headers({ [name]: headerValue(name, value) }));
  }
  const plain = url_from === undefined && body === undefined && made.length === 0;
  // What reads expressions is loaded only where there are any.
  const compile = plain
    ? undefined
    : (await import("../../expression/expression.ts")).compileExpression;
  return {
    url: url ?? compile!(url_from!, "string", { setting: "url_from" }),
    headers: [
      ...Object.entries(headers),
      ...made.map(([name, text]): GroupRules["headers"][number] => [
        name,
        compile!(text, "string", { setting: `headers_from.${name}` }),
      ]),
    ],
    parts: new BodyParts(
      format,
      body === undefined ? undefined : compile!(body, "any", { setting: "body" }),
    ),
    maxEvents: format === "single" ? 1 : settings.max_events,
    maxBytes: parseSize(settings.max_bytes),
  };
}

class HttpReaction implements BuiltinComponent {
  readonly #context: BuiltinContext;
  readonly #rules: GroupRules;
  readonly #sender: HttpSender;
  readonly #concurrency: number;
  /** Batches that are being sent. */
  #pending = 0;
  /** Who was refused is to be told when there is room again. */
  #refused = false;
  #run = new AbortController();
  #failure = "";
  /** Events in a request, while it is not known which one the server does not want. */
  #most = Infinity;

  constructor(context: BuiltinContext, settings: Settings, rules: GroupRules) {
    this.#context = context;
    this.#rules = rules;
    this.#concurrency = settings.concurrency;
    this.#sender = new HttpSender({
      method: settings.method,
      timeout: parseDuration(settings.timeout),
      notWanted: new Set(settings.invalid_statuses),
      metrics: context.metrics,
    });
  }

  start(): void {
    this.#run = new AbortController();
    this.#pending = 0;
    this.#failure = "";
  }

  /** What is still under way comes again. */
  stop(): void {
    this.#run.abort();
  }

  health(): string {
    return this.#failure;
  }

  write(batch: Batch): number {
    if (this.#pending >= this.#concurrency) {
      this.#refused = true;
      return Status.AGAIN;
    }
    this.#pending++;
    void this.#send(batch, batch.id, this.#run.signal);
    return Status.PENDING;
  }

  async #send(batch: Batch, batchId: number, signal: AbortSignal): Promise<void> {
    let done = 0;
    let status: number = Status.OK;
    let message = "";
    try {
      for (const group of groupsOf(batch, { rules: this.#rules, sources: this.#context.sources })) {
        await this.#sendGroup(group, signal);
        done = group.first + group.parts.length;
        this.#failure = "";
      }
      this.#most *= 2;
    } catch (error) {
      message = (error as Error).message;
      if (error instanceof EventError) {
        status = Status.INVALID;
        done = error.index;
      } else {
        status = Status.FAILED;
        this.#failure = message;
        if (error instanceof PartlySent) {
          done = error.done;
          await pause(error.wait, undefined, { signal }).catch(() => {});
        }
      }
    }
    if (signal.aborted) return;
    this.#pending--;
    this.#context.complete({ batchId, status, done, message });
    if (!this.#refused) return;
    this.#refused = false;
    this.#context.wake();
  }

  /** A group that is not wanted is sent in halves, until it shows which event it is; a failure in between does not undo that. */
  async #sendGroup(group: Group, signal: AbortSignal): Promise<void> {
    const { first, parts } = group;
    if (parts.length > this.#most) return await this.#sendHalves(group, signal);
    try {
      await this.#sender.send({ ...group, body: this.#rules.parts.join(parts) }, signal);
    } catch (error) {
      if (error instanceof NotNow) throw new PartlySent(first, error);
      if (!(error instanceof NotWanted)) throw error;
      if (parts.length === 1) {
        this.#most = Infinity;
        throw new EventError(first, error.message);
      }
      this.#most = Math.ceil(parts.length / 2);
      await this.#sendHalves(group, signal);
    }
  }

  async #sendHalves(group: Group, signal: AbortSignal): Promise<void> {
    const { first, parts } = group;
    const half = Math.ceil(parts.length / 2);
    await this.#sendGroup({ ...group, parts: parts.slice(0, half) }, signal);
    await this.#sendGroup({ ...group, first: first + half, parts: parts.slice(half) }, signal);
  }
}

/** Sending failed; what lies before `done` was accepted. */
class PartlySent extends NotNow {
  readonly done: number;

  constructor(done: number, { message, wait }: NotNow) {
    super(message, wait);
    this.done = done;
  }
}
