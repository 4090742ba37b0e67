import assert from "node:assert/strict";
import { createApp } from "../../../src/admin/app.ts";
import {
  type Actor,
  ControlError,
  type Execution,
  type ExecutionOutcome,
  type HostControl,
} from "../../../src/admin/control.ts";
import { StoreError } from "../../../src/store/errors.ts";
import type { LetterPage, LetterQuery, StoredLetter } from "../../../src/store/letter_box.ts";

const encoder = new TextEncoder();

const LETTER: StoredLetter = {
  id: "1-7",
  at: Date.UTC(2026, 2, 2),
  component: "archive",
  plugin: "gzip-archive",
  code: "Failed",
  error: "disk on fire",
  attempts: 3,
  source: "access",
  sequence: 2 ** 40,
  operation: 0,
  contentType: 1,
  timestamp: 1_500_000_000_123_456_789n,
  flags: 0,
  key: encoder.encode("k"),
  payload: new Uint8Array([0xff, 0xfe]),
  attributes: new Uint8Array([1, 0, 0, 0, 2, 0, 0, 0, ...encoder.encode("abc")]),
  replaying: false,
};

/** What was asked of the host. */
type Call = [name: string, ...values: unknown[]];

class FakeControl implements HostControl {
  readonly calls: Call[] = [];
  failure: Error | undefined;

  plugin(name: string, action: string, who: Actor) {
    this.#note("plugin", name, action, who);
    return Promise.resolve({ name, enabled: true, version: "1", digest: null, pipelines: ["web"] });
  }

  pipeline(id: string, action: string, who: Actor) {
    this.#note("pipeline", id, action, who);
    return Promise.resolve({ id, status: "paused", desired: "paused" });
  }

  letters<T>(
    pipeline: string,
    query: LetterQuery,
    { view, ...page }: LetterPage & { view: (letter: StoredLetter) => T },
  ) {
    this.#note("letters", pipeline, query, page);
    return { total: 1, letters: query.ids?.[0] === "9" ? [] : [view(LETTER)] };
  }

  replayLetters(...values: unknown[]) {
    this.#note("replay", ...values);
    return 2;
  }

  dropLetters(...values: unknown[]) {
    this.#note("drop", ...values);
    return 3;
  }

  service(name: string, action: string, who: Actor) {
    this.#note("service", name, action, who);
    return Promise.resolve({ id: name, status: "stopped", desired: "stopped" });
  }

  serviceLimits(id: string) {
    this.#note("serviceLimits", id);
    return { maxInput: 10 };
  }

  execute(id: string, { input, ...options }: Execution): Promise<ExecutionOutcome> {
    this.#note("execute", id, new TextDecoder().decode(input), options);
    const contentType = options.contentType;
    const outcome = { plugin: "p", output: input, durationMs: 1.5 };
    return Promise.resolve({ ...outcome, ...(contentType !== undefined && { contentType }) });
  }

  audit(...values: unknown[]) {
    this.#note("audit", ...values);
    return [];
  }

  #note(...call: Call): void {
    this.calls.push(call);
    if (this.failure !== undefined) throw this.failure;
  }
}

const HERE = { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 1 } };

function appWith(control: HostControl, who: Actor = "admin socket") {
  const sources = { pipelines: { pipelines: () => [] }, plugins: { plugins: () => [] } };
  return createApp({ ...sources, control, who, host: "127.0.0.1" });
}

function post(body?: unknown): RequestInit {
  return body === undefined ? { method: "POST" } : { method: "POST", body: JSON.stringify(body) };
}

Deno.test("POST /plugins/NAME/ACTION and /pipelines/ID/ACTION do what they name and give what came of it", async () => {
  const control = new FakeControl();
  const app = appWith(control);
  for (const action of ["enable", "disable", "reload", "rollback"]) {
    const response = await app.request(`/api/v1/plugins/probe/${action}`, post());
    assert.deepEqual([response.status, (await response.json()).pipelines], [200, ["web"]]);
    assert.deepEqual(control.calls.pop(), ["plugin", "probe", action, "admin socket"]);
  }
  for (const action of ["start", "stop", "restart", "pause", "resume"]) {
    const response = await app.request(`/api/v1/pipelines/web/${action}`, post());
    assert.deepEqual(await response.json(), { id: "web", status: "paused", desired: "paused" });
    assert.deepEqual(control.calls.pop(), ["pipeline", "web", action, "admin socket"]);
  }
  for (const action of ["start", "stop", "restart"]) {
    const response = await app.request(`/api/v1/services/hook:words/${action}`, post());
    assert.equal((await response.json()).status, "stopped");
    assert.deepEqual(control.calls.pop(), ["service", "hook:words", action, "admin socket"]);
  }
  assert.equal((await app.request("/api/v1/services/words/pause", post())).status, 404);
  assert.equal((await app.request("/api/v1/pipelines/web/stop")).status, 405);
  assert.equal((await app.request("/api/v1/pipelines/web/explode", post())).status, 404);
  assert.deepEqual(control.calls, []);
});

Deno.test("over HTTP only this machine may change things, and no foreign page", async () => {
  const control = new FakeControl();
  const app = appWith(control, "http");
  const ask = (env: object, init: RequestInit = post()) =>
    app.request("/api/v1/pipelines/web/stop", init, env);
  assert.equal((await ask(HERE)).status, 200);
  assert.deepEqual(control.calls.pop(), ["pipeline", "web", "stop", "http"]);
  const mapped = { remoteAddr: { transport: "tcp", hostname: "::ffff:127.0.0.1", port: 1 } };
  assert.equal((await ask(mapped)).status, 200);
  control.calls.pop();
  for (const hostname of ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1", "127.evil.example"]) {
    const response = await ask({ remoteAddr: { transport: "tcp", hostname, port: 1 } });
    assert.equal(response.status, 403, hostname);
    assert.equal((await response.json()).error.code, "NotLocal");
  }
  assert.equal((await ask({})).status, 403, "an unknown peer");
  const page = { method: "POST", headers: { Origin: "http://evil.example" } };
  assert.equal((await ask(HERE, page)).status, 403);
  assert.deepEqual(control.calls, []);
  const far = { remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 1 } };
  assert.equal((await app.request("/api/v1/audit", {}, far)).status, 200, "it may read");
});

Deno.test("GET dead-letters filters and gives summaries; one letter comes with its event", async () => {
  const control = new FakeControl();
  const app = appWith(control);
  const query = "component=archive&code=Failed&source=access&before=2026-03-03&" +
    "after=2026-03-01T00:00:00Z&limit=5&offset=1";
  const list = await (await app.request(`/api/v1/pipelines/web/dead-letters?${query}`)).json();
  assert.deepEqual(control.calls.pop(), [
    "letters",
    "web",
    {
      component: "archive",
      code: "Failed",
      source: "access",
      before: Date.UTC(2026, 2, 3),
      after: Date.UTC(2026, 2, 1),
    },
    { limit: 5, offset: 1 },
  ]);
  assert.equal(list.total, 1);
  const [summary] = list.letters;
  assert.deepEqual([summary.id, summary.sequence, summary.bytes], ["1-7", 2 ** 40, 2]);
  assert.equal(summary.at, "2026-03-02T00:00:00.000Z");
  assert.equal(summary.timestamp, "2017-07-14T02:40:00.123456789Z");
  assert.equal("payload" in summary, false);

  const letter = await (await app.request("/api/v1/pipelines/web/dead-letters/1-7")).json();
  assert.deepEqual([letter.key, letter.payload_base64, letter.attributes], ["k", "//4=", {
    a: "bc",
  }]);
  assert.deepEqual(control.calls.pop()?.[2], { ids: ["1-7"] });
  const missing = await app.request("/api/v1/pipelines/web/dead-letters/9");
  assert.deepEqual([missing.status, (await missing.json()).error.code], [
    404,
    "DeadLetterNotFound",
  ]);
});

Deno.test("POST dead-letters/replay and /drop take ids, a filter or all, but never nothing", async () => {
  const control = new FakeControl();
  const app = appWith(control);
  const path = "/api/v1/pipelines/web/dead-letters";
  const replayed = await app.request(`${path}/replay`, post({ ids: ["1", "2-3"] }));
  assert.deepEqual(await replayed.json(), { count: 2 });
  assert.deepEqual(control.calls.pop(), ["replay", "web", { ids: ["1", "2-3"] }, "admin socket"]);
  const dropped = await app.request(`${path}/drop`, post({ all: true }));
  assert.deepEqual(await dropped.json(), { count: 3 });
  assert.deepEqual(control.calls.pop(), ["drop", "web", {}, "admin socket"]);
  for (
    const body of [{}, [], { ids: [] }, { ids: ["x"] }, { all: false }, { before: "soon" }, {
      component: "a",
      typo: 1,
    }]
  ) {
    const response = await app.request(`${path}/drop`, post(body));
    assert.equal(response.status, 400, JSON.stringify(body));
    assert.equal((await response.json()).error.code, "BadRequest");
  }
  assert.equal((await app.request(`${path}/drop`, { method: "POST", body: "{" })).status, 400);
  assert.equal((await app.request(`${path}/drop`, { method: "POST" })).status, 400);
  for (const query of ["limit=-1", "limit=x", "limit=1001", "offset=1.5", "colour=red"]) {
    assert.equal((await app.request(`${path}?${query}`)).status, 400, query);
  }
  assert.deepEqual(control.calls, []);
});

Deno.test("GET audit gives a page", async () => {
  const control = new FakeControl();
  assert.deepEqual(await (await appWith(control).request("/api/v1/audit?limit=2")).json(), []);
  assert.deepEqual(control.calls, [["audit", { limit: 2, offset: 0 }]]);
});

Deno.test("what cannot be done is an answer with its own status; so is a store that cannot be used", async () => {
  const control = new FakeControl();
  const ask = async (failure: Error) => {
    control.failure = failure;
    const response = await appWith(control).request("/api/v1/pipelines/web/stop", post());
    return [response.status, (await response.json()).error];
  };
  assert.deepEqual(await ask(new ControlError(409, "NotRunning", "Cannot: it is stopped")), [
    409,
    { code: "NotRunning", message: "Cannot: it is stopped" },
  ]);
  for (const [code, status] of [["Full", 507], ["Busy", 503], ["Corrupt", 500]] as const) {
    const error = new StoreError(code, "Cannot write", { path: "/x" });
    assert.deepEqual(await ask(error), [status, { code: `Store${code}`, message: "Cannot write" }]);
  }
});

Deno.test("POST /plugins/NAME/execute gives text, JSON, base64 or the bytes themselves", async () => {
  const control = new FakeControl();
  const app = appWith(control);
  const path = "/api/v1/plugins/words/execute";
  const ask = async (init: RequestInit, query = "") =>
    await (await app.request(path + query, { method: "POST", ...init })).json();
  assert.deepEqual(await ask({ body: "a b" }, "?timeout=500ms"), {
    plugin: "p",
    output: "a b",
    durationMs: 1.5,
  });
  const contentType = "text/plain;charset=UTF-8";
  assert.deepEqual(control.calls.at(-1), ["execute", "words", "a b", {
    contentType,
    timeoutMs: 500,
  }]);
  const json = { "Content-Type": "application/json" };
  assert.deepEqual((await ask({ body: '{"a":1}', headers: json })).output, { a: 1 });
  assert.deepEqual((await ask({ body: "{", headers: json })).output, "{");
  const bytes = new Uint8Array([0xff, 0]);
  const shown = await ask({ body: bytes });
  assert.deepEqual([shown.output, shown.encoding], ["/wA=", "base64"]);
  const raw = await app.request(path, {
    method: "POST",
    body: bytes,
    headers: { accept: "application/octet-stream" },
  });
  assert.deepEqual(new Uint8Array(await raw.arrayBuffer()), bytes);
  assert.equal((await ask({ body: "x".repeat(11) })).error.code, "InputTooLarge");
  assert.equal((await ask({ body: "x" }, "?timeout=soon")).error.code, "BadRequest");
  const far = await appWith(control, "http").request(path, { method: "POST", body: "x" }, {
    remoteAddr: { ...HERE.remoteAddr, hostname: "192.0.2.1" },
  });
  assert.equal(far.status, 403);
});
