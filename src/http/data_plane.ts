import { getLogger } from "@logtape/logtape";
import type { ResolvedHttp, ResolvedRoute } from "../config/resolved.ts";
import { MAX_HEADERS } from "../component/call.ts";
import { answerBy, type Backend, pluginHook } from "./backend.ts";
import { errorAnswer, Exchange, type HttpAnswer, type HttpHook } from "./exchange.ts";
import { makeHook } from "./hooks/mod.ts";
import { BodyError, readBody } from "./read_body.ts";
import { RouteStats, type RouteView } from "./route_stats.ts";
import { RouteTable } from "./route_table.ts";

const BODY_ERRORS = {
  too_long: { status: 413, code: "InputTooLarge" },
  too_slow: { status: 408, code: "Timeout" },
  broken: { status: 400, code: "BadRequest" },
  no_room: { status: 503, code: "Busy" },
} as const;
/** Seconds after which it makes sense to try again. */
const RETRY_AFTER = "1";
const REQUEST_ID = /^[\w.:-]{1,128}$/;
/** Anything else would become a part of the path. */
const HOST = /^[\w.~%:[\]-]*$/;

/** What of a listener can change while it listens. */
type Rules = Pick<ResolvedHttp, "limits" | "hooks" | "routes">;

interface Route {
  route: ResolvedRoute;
  hooks: HttpHook[];
  stats: RouteStats;
}

/** Answers requests by the routes of a configuration. */
export class DataPlane {
  readonly #backend: Backend;
  readonly #rules: Rules;
  readonly #routes: Route[];
  readonly #table: RouteTable<Route>;
  #underWay = 0;
  /** Bytes of bodies that are read, or may be. */
  #held = 0;

  /** @throws {Error} when a hook cannot be made, such as for want of a file */
  static async open(rules: Rules, backend: Backend): Promise<DataPlane> {
    const hooks = new Map<string, HttpHook>();
    for (const { id, hook } of rules.hooks) {
      try {
        hooks.set(id, "unit" in hook ? pluginHook(backend, hook.unit) : await makeHook(hook));
      } catch (cause) {
        throw new Error(`Cannot make hook "${id}": ${(cause as Error).message}`, { cause });
      }
    }
    return new DataPlane(rules, backend, hooks);
  }

  private constructor(rules: Rules, backend: Backend, hooks: ReadonlyMap<string, HttpHook>) {
    this.#backend = backend;
    this.#rules = rules;
    this.#routes = rules.routes.map((route) => ({
      route,
      hooks: route.hooks.map((id) => hooks.get(id)!),
      stats: new RouteStats(route),
    }));
    this.#table = new RouteTable(this.#routes.map((own) => [own.route, own]));
  }

  async fetch(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Promise<Response> {
    const { method, headers } = request;
    const path = URL.parse(request.url)?.pathname;
    if (path === undefined || !HOST.test(headers.get("host") ?? "")) {
      const message = "Cannot read the request: its Host or its path is not valid";
      return plain(errorAnswer(400, { code: "BadRequest", message }));
    }
    const own = this.#table.find(method, path);
    if (own !== undefined) return await this.#answer(own, request, info);
    const methods = this.#table.methodsAt(path);
    const refused = methods.length === 0
      ? errorAnswer(404, { code: "NotFound", message: `Nothing is at "${path}"` })
      : notAllowed(method, { path, methods });
    const wanted = headers.get("access-control-request-method") ?? "";
    const other = this.#table.find(wanted, path) ?? this.#table.find(methods[0] ?? "", path);
    // Hooks may answer for OPTIONS, as `cors` does.
    if (method !== "OPTIONS" || other === undefined) return plain(refused);
    return await this.#answer(other, request, info, refused);
  }

  routes(): RouteView[] {
    return this.#routes.map(({ stats }) => stats.view());
  }

  async #answer(
    { route, hooks, stats }: Route,
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
    instead?: HttpAnswer,
  ): Promise<Response> {
    const started = performance.now();
    const { limits } = this.#rules;
    const given = request.headers.get("x-request-id") ?? "";
    let read = 0;
    let held = 0;
    const exchange = new Exchange(request, {
      id: REQUEST_ID.test(given) ? given : crypto.randomUUID(),
      remote: info.remoteAddr.hostname,
      read: async () => {
        if (request.body === null) return new Uint8Array(0);
        held = this.#hold(request);
        const body = await readBody(request, { max: limits.bodyBytes, ms: limits.timeMs });
        read = body.length;
        this.#held += read - held;
        held = read;
        return body;
      },
    });
    exchange.headers.set("x-request-id", exchange.id);
    exchange.headers.delete("busbar-subject");
    this.#underWay++;
    let answer: HttpAnswer;
    try {
      answer = await this.#through(
        hooks,
        exchange,
        async () => instead ?? await answerBy(this.#backend, route.target, exchange),
      );
    } catch (error) {
      answer = this.#problem(error, exchange);
    } finally {
      this.#underWay--;
      this.#held -= held;
    }
    answer.headers.set("x-request-id", exchange.id);
    const ms = performance.now() - started;
    stats.note({ status: answer.status, ms, bytesIn: read, bytesOut: answer.body.length });
    getLogger(["busbar", "http"]).debug("{method} {path}: {status}", {
      method: request.method,
      path: exchange.path,
      status: answer.status,
      route: route.path,
      remote: exchange.remote,
      request: exchange.id,
      trace: exchange.headers.get("traceparent") ?? undefined,
      ms: Math.round(ms * 1000) / 1000,
      bytes_in: read,
      bytes_out: answer.body.length,
    });
    return plain(answer);
  }

  /** Reserves memory for the body. @throws {BodyError} when there is none */
  #hold({ headers }: Request): number {
    const { bodyBytes, memoryBytes } = this.#rules.limits;
    const announced = headers.get("content-length");
    const bytes = Math.min(bodyBytes, announced === null ? bodyBytes : Number(announced));
    if (this.#held > 0 && this.#held + bytes > memoryBytes) {
      throw new BodyError("no_room", `${this.#held} bytes of other requests are under way`);
    }
    this.#held += bytes;
    return bytes;
  }

  async #through(
    hooks: readonly HttpHook[],
    exchange: Exchange,
    handle: () => Promise<HttpAnswer>,
  ): Promise<HttpAnswer> {
    const { limits } = this.#rules;
    const size = [...exchange.headers].reduce(
      (sum, [name, value]) => sum + name.length + value.length + 4,
      0,
    );
    if (size > limits.headerBytes) {
      const message = `The headers have ${size} bytes, at most ${limits.headerBytes} are allowed`;
      return errorAnswer(431, { code: "HeadersTooLarge", message });
    }
    const count = [...exchange.headers].length;
    if (count > MAX_HEADERS) {
      const message = `There are ${count} headers, at most ${MAX_HEADERS} are allowed`;
      return errorAnswer(431, { code: "HeadersTooLarge", message });
    }
    if (this.#underWay > limits.requests) {
      const message = `${limits.requests} requests are under way`;
      return errorAnswer(503, { code: "Busy", message, headers: { "retry-after": RETRY_AFTER } });
    }
    let answer: HttpAnswer | undefined;
    try {
      for (const hook of hooks) {
        answer = await hook.before?.(exchange);
        if (answer !== undefined) break;
      }
      answer ??= await handle();
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      answer = this.#problem(error, exchange);
    }
    for (const hook of hooks) answer = await hook.after?.(exchange, answer) ?? answer;
    return answer;
  }

  #problem(error: unknown, exchange: Exchange): HttpAnswer {
    if (error instanceof BodyError) {
      const { status, code } = BODY_ERRORS[error.problem];
      // What is left of the body is not read.
      const headers = {
        connection: "close",
        ...(status === 503 && { "retry-after": RETRY_AFTER }),
      };
      return errorAnswer(status, { code, message: error.message, headers });
    }
    getLogger(["busbar", "http"]).error("Cannot answer {method} {path}: {error}", {
      method: exchange.method,
      path: exchange.path,
      request: exchange.id,
      error,
    });
    const message = `Cannot answer ${exchange.method} "${exchange.path}": see busbar's log`;
    return errorAnswer(500, { code: "Internal", message });
  }
}

function plain({ status, headers, body }: HttpAnswer): Response {
  const bare = status === 204 || status === 205 || status === 304;
  return new Response(bare ? null : body as Uint8Array<ArrayBuffer>, { status, headers });
}

function notAllowed(
  method: string,
  { path, methods }: { path: string; methods: string[] },
): HttpAnswer {
  const allow = methods.join(", ");
  const message = `Cannot ${method} "${path}": allowed are ${allow}`;
  return errorAnswer(405, { code: "MethodNotAllowed", message, headers: { allow } });
}
