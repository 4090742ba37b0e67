import { CallError, type CallProblem, type CallRequest } from "../cell/call_desk.ts";
import { Status } from "../../ffi/layout.ts";
import type { CallMade, CallName } from "../component/call.ts";
import type { ResolvedRoute, ServiceSettings } from "../config/resolved.ts";
import {
  errorAnswer,
  type Exchange,
  headersOf,
  type HttpAnswer,
  type HttpHook,
  pairsOf,
} from "./exchange.ts";

/** What the listener asks of the cells. */
export interface Backend {
  /** @throws {CallError} when it comes to nothing */
  call(id: string, request: CallRequest, component?: string): Promise<CallMade>;
  /** All services and hooks there are. */
  services(): readonly { id: string; service: ServiceSettings }[];
}

/** Longest that a source may take to accept events. */
const RECEIVE_MS = 30_000;
const RECEIVE_OUTPUT = 64 * 1024;
/** Seconds after which it makes sense to try again. */
const RETRY_AFTER = "1";

const PROBLEMS: Record<CallProblem, { status: number; code: string; again: boolean }> = {
  not_running: { status: 503, code: "NotRunning", again: true },
  busy: { status: 429, code: "Busy", again: true },
  timeout: { status: 504, code: "Timeout", again: false },
  crash: { status: 502, code: "Crashed", again: false },
};

/** Has a request answered by what its route names. @throws {BodyError} when its body cannot be read */
export async function answerBy(
  backend: Backend,
  target: ResolvedRoute["target"],
  exchange: Exchange,
): Promise<HttpAnswer> {
  if (target.call !== "receive") {
    return await callUnit(backend, { id: target.unit, call: target.call }, exchange) ??
      errorAnswer(404, { code: "NotFound", message: `Nothing is at "${exchange.path}"` });
  }
  const body = await exchange.body();
  return await guarded(`source "${target.pipeline}/${target.source}"`, async () => {
    const made = await backend.call(target.pipeline, {
      ...requestOf(exchange, body),
      call: "receive",
      timeoutMs: RECEIVE_MS,
      maxOutput: RECEIVE_OUTPUT,
    }, target.source);
    // What a source cannot take because its cell ended comes again from the client.
    return made.status === Status.OK ? answerOf(made) : refused(made, "source");
  }, { crash: 503 });
}

/** A hook of a plugin. */
export function pluginHook(backend: Backend, unit: string): HttpHook {
  return {
    before: (exchange) => callUnit(backend, { id: unit, call: "before_request" }, exchange),
    async after(exchange, answer) {
      // A body that could not be read is what the answer is about.
      await exchange.body().catch(() => exchange.setBody(new Uint8Array(0)));
      const call = { id: unit, call: "after_response", answer } as const;
      return await callUnit(backend, call, exchange) ?? answer;
    },
  };
}

/** Undefined when it gives no answer, but lets the request go on. */
async function callUnit(
  backend: Backend,
  { id, call, answer }: { id: string; call: CallName; answer?: HttpAnswer },
  exchange: Exchange,
): Promise<HttpAnswer | undefined> {
  const [kind = "", name = ""] = id.split(":");
  const title = `${kind} "${name}"`;
  const settings = backend.services().find((one) => one.id === id)?.service;
  if (settings === undefined) {
    return unavailable(503, { code: "NotRunning", message: `Cannot ask ${title}: it is disabled` });
  }
  const body = await exchange.body();
  if (body.length > settings.maxInput) {
    const message =
      `Cannot ask ${title}: the body has ${body.length} bytes, at most ${settings.maxInput} are allowed`;
    return errorAnswer(413, { code: "InputTooLarge", message });
  }
  return await guarded(title, async () => {
    const made = await backend.call(id, {
      ...requestOf(exchange, body),
      call,
      timeoutMs: settings.timeoutMs,
      maxOutput: settings.maxOutput,
      ...(answer && { answer: { ...answer, headers: pairsOf(answer.headers) } }),
    });
    if (made.status < 0) return refused(made, title);
    if (call === "before_request" && made.status === Status.OK) return change(exchange, made);
    const { status, body: output } = made.answer;
    // A hook need not know every path that it is asked for.
    const isAnswer = call !== "handle" || made.status === Status.DONE || status !== 0 ||
      output.length > 0;
    return isAnswer ? answerOf(made) : undefined;
  });
}

function requestOf(exchange: Exchange, body: Uint8Array) {
  const { method, path, query, headers } = exchange;
  return { method, path, query, headers: pairsOf(headers), body };
}

function change(exchange: Exchange, { changes, body }: CallMade): undefined {
  const { method, path, query, headers } = changes;
  exchange.method = method ?? exchange.method;
  exchange.path = path ?? exchange.path;
  exchange.query = query ?? exchange.query;
  if (headers !== undefined) exchange.headers = headersOf(headers);
  if (body !== undefined) exchange.setBody(body);
  return undefined;
}

function answerOf({ answer }: CallMade): HttpAnswer {
  const status = answer.status === 0 ? 200 : answer.status;
  if (status < 200 || status > 599) throw new TypeError(`it gives status ${status}`);
  return { status, headers: headersOf(answer.headers), body: answer.body };
}

function refused({ status, message }: CallMade, title: string): HttpAnswer {
  if (status === Status.INVALID) {
    return errorAnswer(400, { code: "Invalid", message: message || "INVALID" });
  }
  const text = `Cannot ask ${title}: ${message || "it failed"}`;
  return errorAnswer(502, { code: "Failed", message: text });
}

async function guarded<T>(
  title: string,
  ask: () => Promise<T>,
  { crash = 502 } = {},
): Promise<T | HttpAnswer> {
  try {
    return await ask();
  } catch (error) {
    const { message } = error as Error;
    const text = `Cannot ask ${title}: ${message}`;
    if (error instanceof TypeError) return errorAnswer(502, { code: "Failed", message: text });
    if (!(error instanceof CallError)) throw error;
    const { status, code, again } = PROBLEMS[error.problem];
    if (error.problem === "crash" && crash !== 502) {
      return unavailable(crash, { code, message: text });
    }
    return again ? unavailable(status, { code, message: text }) : errorAnswer(status, {
      code,
      message: text,
    });
  }
}

function unavailable(status: number, error: { code: string; message: string }): HttpAnswer {
  return errorAnswer(status, { ...error, headers: { "retry-after": RETRY_AFTER } });
}
