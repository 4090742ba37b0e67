import type { ComponentMetrics } from "../../../ffi/recorder_metrics.ts";
import type { BodyPart } from "./http_bodies.ts";

/** The longest time that a response may ask to wait, in ms. */
const LONGEST_WAIT = 300_000;
const LONGEST_TIMER = 2 ** 31 - 1;
const SHOWN = 200;
/** Bytes of a response that are read, so that the connection can be used again; a longer one ends it. */
const READ_AT_MOST = 64 * 1024;

/** The server does not want what was sent, now or later. */
export class NotWanted extends Error {}

/** What may pass. */
export class NotNow extends Error {
  /** How long the server asks to wait, in ms. */
  readonly wait: number;

  constructor(message: string, wait = 0) {
    super(message);
    this.wait = wait;
  }
}

export interface HttpRequest {
  url: string;
  headers: readonly [name: string, value: string][];
  body: BodyPart;
}

/** Makes requests. Messages of its errors hold no headers, no query and no password. */
export class HttpSender {
  readonly #method: string;
  readonly #timeout: number;
  readonly #notWanted: ReadonlySet<number>;
  readonly #made: (add?: number) => void;
  readonly #failed: (add?: number) => void;
  readonly #seconds: (value: number) => void;

  constructor(
    options: {
      method: string;
      /** In ms. */
      timeout: number;
      /** Statuses of a response that says NotWanted. */
      notWanted: ReadonlySet<number>;
      metrics: ComponentMetrics;
    },
  ) {
    this.#method = options.method;
    this.#timeout = Math.min(options.timeout, LONGEST_TIMER);
    this.#notWanted = options.notWanted;
    this.#made = options.metrics.counter("requests_total");
    this.#failed = options.metrics.counter("requests_failed_total");
    this.#seconds = options.metrics.histogram("request_seconds");
  }

  /**
   * Resolves when the server has accepted it.
   *
   * @throws {NotWanted} when the server refuses it for good
   * @throws {NotNow} for all that may pass
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<void> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.#timeout);
    try {
      const response = await this.#fetch(request, { deadline: deadline.signal, signal });
      const text = await beginningOf(response);
      if (!response.ok) this.#refused(request, response, text);
    } finally {
      clearTimeout(timer);
    }
  }

  #refused({ url }: HttpRequest, { status, headers }: Response, text: string): never {
    this.#failed();
    const answer = `${status} ${oneLine(text)}`.trim();
    const message = `Cannot ${this.#method} ${shown(url)}: the server answered ${answer}`;
    if (this.#notWanted.has(status)) throw new NotWanted(message);
    throw new NotNow(message, retryAfter(headers.get("retry-after")));
  }

  async #fetch(
    { url, headers, body }: HttpRequest,
    { deadline, signal }: { deadline: AbortSignal; signal: AbortSignal },
  ): Promise<Response> {
    const started = performance.now();
    this.#made();
    try {
      const target = new URL(url);
      const all = new Headers({ "content-type": body.type, "user-agent": "busbar" });
      if (target.username !== "") {
        const name = decodeURIComponent(target.username);
        const credentials = `${name}:${decodeURIComponent(target.password)}`;
        all.set("authorization", `Basic ${new TextEncoder().encode(credentials).toBase64()}`);
        target.username = target.password = "";
      }
      for (const [name, value] of headers) all.set(name, value);
      return await fetch(target, {
        method: this.#method,
        headers: all,
        body: body.bytes as Uint8Array<ArrayBuffer>,
        // Another place may not be meant to have the events.
        redirect: "manual",
        signal: AbortSignal.any([deadline, signal]),
      });
    } catch (error) {
      this.#failed();
      const reason = deadline.aborted
        ? `no response within ${this.#timeout} ms`
        : withoutUrl((error as Error).message, url);
      throw new NotNow(`Cannot ${this.#method} ${shown(url)}: ${reason}`);
    } finally {
      this.#seconds((performance.now() - started) / 1000);
    }
  }
}

/** What a response says; of a long one the beginning. */
async function beginningOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  try {
    for await (const part of body ?? []) {
      text += decoder.decode(part, { stream: true });
      length += part.length;
      if (length >= READ_AT_MOST) break;
    }
  } catch {
    // Its status is what counts.
  }
  return text;
}

/** The wait that a response asks for, in ms, as seconds or as a date. */
function retryAfter(value: string | null): number {
  if (value === null) return 0;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), LONGEST_WAIT);
}

/** A URL without what may be secret. */
function shown(url: string): string {
  try {
    const { protocol, host, pathname, search } = new URL(url);
    return `${protocol}//${host}${pathname}${search === "" ? "" : "?…"}`;
  } catch {
    return "what is no URL";
  }
}

function withoutUrl(message: string, url: string): string {
  let target = url;
  try {
    target = new URL(url).href;
  } catch {
    // It is not repeated as it is either.
  }
  return oneLine(message.replaceAll(url, "it").replaceAll(target, "it"))
    .replace(/\(?https?:\/\/[^\s)]*\)?/g, "it");
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}
