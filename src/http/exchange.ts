import type { HeaderPair } from "../component/call.ts";

/** What a request is answered with. */
export interface HttpAnswer {
  status: number;
  headers: Headers;
  body: Uint8Array;
}

/** A request on its way through hooks to what answers it. */
export class Exchange {
  /** Names it in the log and to the client. */
  readonly id: string;
  /** Address of the client. */
  readonly remote: string;
  method: string;
  path: string;
  /** Without the question mark. */
  query: string;
  headers: Headers;
  /** Who asks, once a hook knows. */
  subject: string | undefined;
  readonly #read: () => Promise<Uint8Array>;
  #body: Promise<Uint8Array> | undefined;

  /** @param read gives the body; called when somebody wants it first. */
  constructor(
    request: Request,
    options: { id: string; remote: string; read: () => Promise<Uint8Array> },
  ) {
    const url = new URL(request.url);
    this.id = options.id;
    this.remote = options.remote;
    this.method = request.method;
    this.path = url.pathname;
    this.query = url.search.slice(1);
    this.headers = new Headers(request.headers);
    this.#read = options.read;
  }

  /** @throws {BodyError} when it is too long or too slow */
  body(): Promise<Uint8Array> {
    return this.#body ??= this.#read();
  }

  setBody(body: Uint8Array): void {
    this.#body = Promise.resolve(body);
  }
}

/** Sees requests and answers. */
export interface HttpHook {
  /** Lets a request go on, perhaps changed, or answers it. */
  before?(exchange: Exchange): HttpAnswer | undefined | Promise<HttpAnswer | undefined>;
  /** May change an answer. */
  after?(exchange: Exchange, answer: HttpAnswer): HttpAnswer | Promise<HttpAnswer>;
}

/** An error in the form that all of busbar's have. */
export function errorAnswer(
  status: number,
  { code, message, headers = {} }: {
    code: string;
    message: string;
    headers?: Record<string, string>;
  },
): HttpAnswer {
  return {
    status,
    headers: new Headers({ "content-type": "application/json", ...headers }),
    body: new TextEncoder().encode(JSON.stringify({ error: { code, message } })),
  };
}

/** Headers as calls have them. */
export function pairsOf(headers: Headers): HeaderPair[] {
  return [...headers];
}

/** Belong to one connection, not to the answer. */
const HOP_BY_HOP = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What a plugin gives as headers. @throws {TypeError} for a name or value that is none */
export function headersOf(pairs: readonly HeaderPair[]): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) if (!HOP_BY_HOP.has(name)) headers.append(name, value);
  return headers;
}
