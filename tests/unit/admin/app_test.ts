import assert from "node:assert/strict";
import { createApp } from "../../../src/admin/app.ts";
import type { PipelineView } from "../../../src/admin/pipelines.ts";
import type { PluginView } from "../../../src/admin/plugins.ts";

const PLUGIN: PluginView = {
  name: "probe",
  version: "1.0.0",
  description: null,
  path: "/plugins/probe",
  digest: "5e1f",
  enabled: true,
  target: Deno.build.target,
  runtime: null,
  components: [{ kind: "source", name: "numbers", description: null }],
  verdict: { ok: true, problems: [] },
  warnings: [],
  usedBy: ["web"],
};

function appWith(pipelines: PipelineView[] = [], host = "127.0.0.1") {
  return createApp({
    pipelines: { pipelines: () => pipelines },
    plugins: { plugins: () => [PLUGIN] },
    host,
  });
}

Deno.test("GET /healthz answers as long as the host lives", async () => {
  const response = await appWith([{ id: "web", status: "failed" }]).request("/healthz");
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: "ok" });
});

Deno.test("GET /readyz is 200 once every enabled pipeline runs or has completed", async () => {
  const app = appWith([
    { id: "a", status: "running" },
    { id: "b", status: "completed" },
    { id: "c", status: "disabled" },
  ]);
  assert.equal((await app.request("/readyz")).status, 200);
  assert.equal((await appWith().request("/readyz")).status, 200, "no pipelines at all");
});

for (const status of ["starting", "restarting", "stopping", "stopped", "failed"]) {
  Deno.test(`GET /readyz is 503 and names a pipeline that is ${status}`, async () => {
    const app = appWith([{ id: "web", status: "running" }, { id: "logs", status }]);
    const response = await app.request("/readyz");
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), {
      error: {
        code: "NotReady",
        message: `Not everything that is enabled runs: "logs" is ${status}`,
      },
      pipelines: [{ id: "logs", status }],
    });
  });
}

Deno.test("GET /api/v1/pipelines gives all of them, as a bare array", async () => {
  const pipelines = [{ id: "web", status: "running", restarts: 2, components: [] }];
  const response = await appWith(pipelines).request("/api/v1/pipelines");
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  assert.deepEqual(await response.json(), pipelines);
});

Deno.test("GET /api/v1/pipelines/ID gives the one, and a JSON error for an unknown id", async () => {
  const app = appWith([{ id: "web", status: "running" }]);
  assert.deepEqual(await (await app.request("/api/v1/pipelines/web")).json(), {
    id: "web",
    status: "running",
  });
  const response = await app.request("/api/v1/pipelines/wbe");
  assert.equal(response.status, 404);
  assert.deepEqual(await response.json(), {
    error: { code: "PipelineNotFound", message: 'Unknown pipeline "wbe"' },
  });
});

Deno.test("GET /api/v1/plugins gives the plugins", async () => {
  const response = await appWith().request("/api/v1/plugins");
  assert.deepEqual(await response.json(), [PLUGIN]);
});

Deno.test("what is not there, and a method that is not allowed, are JSON errors", async () => {
  const nothing = await appWith().request("/api/v2");
  assert.equal(nothing.status, 404);
  assert.equal((await nothing.json()).error.code, "NotFound");

  const post = await appWith().request("/api/v1/pipelines", { method: "POST" });
  assert.equal(post.status, 405);
  assert.equal(post.headers.get("allow"), "GET, HEAD");
  assert.equal((await post.json()).error.code, "MethodNotAllowed");

  const head = await appWith().request("/api/v1/pipelines", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
});

Deno.test("a fault in a route is a JSON error without its inner workings", async () => {
  const app = createApp({
    pipelines: {
      pipelines(): PipelineView[] {
        throw new Error("secret detail");
      },
    },
    plugins: { plugins: () => [] },
    host: "127.0.0.1",
  });
  const response = await app.request("/api/v1/pipelines");
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.equal(JSON.parse(text).error.code, "Internal");
  assert.doesNotMatch(text, /secret detail/);
});

Deno.test("every answer carries security headers and is not cached, errors too", async () => {
  for (const [path, init] of [["/healthz", {}], ["/nothing", {}], ["/healthz", evil()]] as const) {
    const { headers } = await appWith().request(path, init);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("x-frame-options"), "DENY", path);
    assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/, path);
    assert.equal(headers.get("referrer-policy"), "no-referrer", path);
    assert.equal(headers.get("cache-control"), "no-store", path);
    assert.equal(headers.get("access-control-allow-origin"), null, path);
  }
});

function evil(): RequestInit {
  return { headers: { Host: "evil.example" } };
}

Deno.test("requests for another host are refused with 421, on every path", async () => {
  for (const path of ["/healthz", "/readyz", "/api/v1/pipelines", "/nothing"]) {
    const response = await appWith().request(path, evil());
    assert.equal(response.status, 421, path);
    assert.equal((await response.json()).error.code, "WrongHost");
  }
});

Deno.test("requests of a foreign page are refused with 403, those of an own page are not", async () => {
  const ask = (origin: string) =>
    appWith().request("/api/v1/pipelines", {
      headers: { Host: "localhost:7700", Origin: origin },
    });
  for (
    const origin of ["http://evil.example", "null", "http://localhost:3000", "file://localhost"]
  ) {
    const response = await ask(origin);
    assert.equal(response.status, 403, origin);
    assert.equal((await response.json()).error.code, "WrongOrigin");
  }
  assert.equal((await ask("http://localhost:7700")).status, 200);
});
