import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import { CallError, type CallRequest } from "../../../src/cell/call_desk.ts";
import type { CallMade, HeaderPair } from "../../../src/component/call.ts";
import type { ResolvedHttp } from "../../../src/config/resolved.ts";
import type { Backend } from "../../../src/http/backend.ts";
import { DataPlane } from "../../../src/http/data_plane.ts";

const LIMITS = {
  headerBytes: 4096,
  bodyBytes: 100,
  timeMs: 10_000,
  requests: 10,
  memoryBytes: 150,
};
const SERVICE = { timeoutMs: 1000, maxInput: 50, maxOutput: 50, concurrency: 1, queue: 1 };
const INFO: Deno.ServeHandlerInfo<Deno.NetAddr> = {
  remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 1 },
  completed: Promise.resolve(),
};

function made(
  status: number,
  { http = 0, headers = [], body = "" }: { http?: number; headers?: HeaderPair[]; body?: string } =
    {},
): CallMade {
  const bytes = new TextEncoder().encode(body);
  return { status, message: "", answer: { status: http, headers, body: bytes }, changes: {} };
}

/** Cells that answer as told, and note what they are asked. */
class Cells implements Backend {
  readonly asked: string[] = [];
  answer: (request: CallRequest, id: string) => CallMade | Promise<CallMade> = () =>
    made(Status.OK, { body: "answer" });

  async call(id: string, request: CallRequest): Promise<CallMade> {
    this.asked.push(`${id} ${request.call} ${new TextDecoder().decode(request.body)}`);
    return await this.answer(request, id);
  }

  services() {
    return ["service:act", "hook:first", "hook:second"].map((id) => ({
      id,
      service: { id, ...SERVICE },
    }));
  }
}

async function plane(
  cells: Cells,
  { limits = {}, hooks = [] }: { limits?: Partial<ResolvedHttp["limits"]>; hooks?: string[] } = {},
): Promise<(init?: RequestInit & { path?: string }) => Promise<Response>> {
  const made = await DataPlane.open({
    limits: { ...LIMITS, ...limits },
    hooks: hooks.map((id, index) => ({ id, index, hook: { unit: `hook:${id}` } })),
    routes: [{
      path: "/act",
      methods: ["POST"],
      target: { call: "execute", unit: "service:act" },
      hooks,
    }],
  }, cells);
  return async ({ path = "/act", ...init } = {}) =>
    await made.fetch(new Request(`http://localhost${path}`, { method: "POST", ...init }), INFO);
}

/** Names where requests lead, by what the service of the route is asked. */
async function planeOf(
  routes: Record<string, { methods: string[]; path: string }>,
  limits: Partial<ResolvedHttp["limits"]> = {},
) {
  const cells = new Cells();
  const made = await DataPlane.open({
    limits: { ...LIMITS, ...limits },
    hooks: [],
    routes: Object.entries(routes).map(([name, place]) => ({
      ...place,
      target: { call: "handle", unit: `hook:${name}` },
      hooks: [],
    })),
  }, cells);
  return { cells, ask: async (request: Request) => await made.fetch(request, INFO) };
}

async function codeOf(response: Response): Promise<string> {
  return (await response.json()).error.code;
}

Deno.test("requests beyond the limits are refused, and their room comes back", async () => {
  const cells = new Cells();
  const gate = Promise.withResolvers<void>();
  cells.answer = async () => {
    await gate.promise;
    return made(Status.OK);
  };
  const ask = await plane(cells, { limits: { requests: 1 } });
  const first = ask();
  const second = await ask();
  assert.deepEqual([second.status, second.headers.get("retry-after")], [503, "1"]);
  gate.resolve();
  assert.equal((await first).status, 200);
  assert.equal((await ask()).status, 200);
});

Deno.test("bodies take no more memory than they may", async () => {
  const cells = new Cells();
  const gate = Promise.withResolvers<void>();
  cells.answer = async () => {
    await gate.promise;
    return made(Status.OK);
  };
  const ask = await plane(cells, { limits: { memoryBytes: 60 } });
  const send = (length: number) =>
    ask({ body: "x".repeat(length), headers: { "content-length": `${length}` } });
  const first = send(40);
  const refused = await send(40);
  assert.deepEqual([refused.status, await codeOf(refused)], [503, "Busy"]);
  const small = send(20);
  gate.resolve();
  assert.deepEqual([(await first).status, (await small).status], [200, 200]);
  assert.equal((await send(40)).status, 200);
  const long = await send(200);
  assert.deepEqual([long.status, await codeOf(long)], [413, "InputTooLarge"]);
});

Deno.test("too many or too long headers are refused before anybody is asked", async () => {
  const cells = new Cells();
  const ask = await plane(cells, { hooks: ["first"], limits: { headerBytes: 1000 } });
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x${i}`, ""]));
  assert.equal((await ask({ headers: many })).status, 431);
  assert.equal((await ask({ headers: { long: "x".repeat(2000) } })).status, 431);
  assert.deepEqual(cells.asked, []);
});

Deno.test("a hook that answers ends the way, but all hooks see the answer", async () => {
  const cells = new Cells();
  cells.answer = (request, id) => {
    if (request.call === "before_request" && id === "hook:first") {
      return made(Status.DONE, { http: 403, body: "no" });
    }
    const headers: HeaderPair[] = [...request.answer?.headers ?? [], [`x-${id.slice(5)}`, "1"]];
    return { ...made(Status.OK), answer: { ...request.answer!, headers } };
  };
  const ask = await plane(cells, { hooks: ["first", "second"] });
  const response = await ask({ body: "b" });
  assert.deepEqual([response.status, await response.text()], [403, "no"]);
  assert.deepEqual([response.headers.get("x-first"), response.headers.get("x-second")], ["1", "1"]);
  assert.deepEqual(cells.asked, [
    "hook:first before_request b",
    "hook:first after_response b",
    "hook:second after_response b",
  ]);
});

Deno.test("a hook may change what the next ones and the service get", async () => {
  const cells = new Cells();
  cells.answer = (request) => {
    if (request.call !== "before_request") {
      const text = `${request.method} ${request.path}?${request.query} ${request.headers}`;
      return request.call === "execute" ? made(Status.OK, { body: text }) : {
        ...made(Status.OK),
        answer: request.answer!,
      };
    }
    return {
      ...made(Status.OK),
      changes: { method: "PUT", path: "/other", query: "q=1", headers: [["x", "y"]] },
      body: new TextEncoder().encode("changed"),
    };
  };
  const ask = await plane(cells, { hooks: ["first"] });
  const response = await ask({ body: "original" });
  assert.equal(await response.text(), "PUT /other?q=1 x,y");
  assert.equal(cells.asked[1], "service:act execute changed");
});

Deno.test("what a plugin gives is not believed", async () => {
  const cells = new Cells();
  const ask = await plane(cells);
  for (
    const wrong of [
      { http: 99 },
      { http: 101 },
      { http: 1000 },
      { headers: [["bad name", "x"]] as HeaderPair[] },
      { headers: [["x", "a\r\nb: c"]] as HeaderPair[] },
    ]
  ) {
    cells.answer = () => made(Status.OK, wrong);
    assert.equal((await ask()).status, 502, JSON.stringify(wrong));
  }
  const headers: HeaderPair[] = [["transfer-encoding", "chunked"], ["content-length", "9"]];
  cells.answer = () => made(Status.OK, { http: 204, headers, body: "ignored" });
  const bare = await ask();
  assert.deepEqual([bare.status, bare.body, bare.headers.get("transfer-encoding")], [
    204,
    null,
    null,
  ]);
});

Deno.test("calls that come to nothing have their status", async () => {
  const cells = new Cells();
  const ask = await plane(cells);
  for (
    const [problem, status, again] of [
      ["not_running", 503, "1"],
      ["busy", 429, "1"],
      ["timeout", 504, null],
      ["crash", 502, null],
    ] as const
  ) {
    cells.answer = () => Promise.reject(new CallError(problem, "why"));
    const response = await ask();
    assert.deepEqual([response.status, response.headers.get("retry-after")], [status, again]);
    assert.match((await response.json()).error.message, /Cannot ask service "act": why/);
  }
  assert.equal((await ask({ path: "/nothing" })).status, 404);
  const wrong = await ask({ method: "DELETE" });
  assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "POST"]);
});

Deno.test("a path is read once, so that no route is asked for what another is for", async () => {
  const { cells, ask } = await planeOf({
    first: { methods: ["GET"], path: "/open/*" },
    second: { methods: ["GET"], path: "/closed/*" },
  });
  const seen: string[] = [];
  cells.answer = ({ path }, id) => {
    seen.push(`${id} ${path}`);
    return made(Status.DONE, { http: 204 });
  };
  // A request of the listener has its URL as the client sent it.
  const raw = (url: string) => {
    const request = new Request("http://localhost/");
    Object.defineProperty(request, "url", { value: url });
    return request;
  };
  for (
    const path of ["/open/../closed/x", "/open/%2e%2E/closed/x", "/open/..\\closed/x", "/closed/x"]
  ) assert.equal((await ask(raw(`http://localhost${path}`))).status, 204, path);
  assert.deepEqual(seen, Array.from({ length: 4 }, () => "hook:second /closed/x"));
  for (const url of ["http://[/open/x", "http://a b/open/x"]) {
    assert.equal((await ask(raw(url))).status, 400, url);
  }
  const request = new Request("http://localhost/open/x", { headers: { host: "a/closed" } });
  assert.equal((await ask(request)).status, 400);
});

Deno.test("requests without a body take no memory for one", async () => {
  const limits = { bodyBytes: 100, memoryBytes: 100 };
  const { cells, ask } = await planeOf({ first: { methods: ["GET"], path: "/" } }, limits);
  const gate = Promise.withResolvers<void>();
  cells.answer = async () => {
    await gate.promise;
    return made(Status.DONE, { http: 204 });
  };
  const asked = Array.from({ length: 5 }, () => ask(new Request("http://localhost/")));
  gate.resolve();
  assert.deepEqual((await Promise.all(asked)).map(({ status }) => status), [
    204,
    204,
    204,
    204,
    204,
  ]);
});

Deno.test("OPTIONS is refused with the methods of a path, except where hooks answer it", async () => {
  const { ask } = await planeOf({
    first: { methods: ["POST"], path: "/a" },
    second: { methods: ["PUT"], path: "/*" },
  });
  const options = async (path: string) => {
    const response = await ask(new Request(`http://localhost${path}`, { method: "OPTIONS" }));
    return [response.status, response.headers.get("allow")];
  };
  assert.deepEqual(await options("/a"), [405, "POST, PUT"]);
  assert.deepEqual(await options("/b"), [405, "PUT"]);
});
