import assert from "node:assert/strict";
import type { Catalog } from "../../../src/config/catalog.ts";
import { checkConfig, resolveConfig } from "../../../src/config/graph_check.ts";
import { brief, catalog as plain, faults, load, pipeline } from "./support.ts";

const [builtin, ...others] = plain.plugins;
const catalog: Catalog = {
  plugins: [
    {
      ...builtin!,
      components: [
        ...builtin!.components,
        { kind: "source", name: "http" },
        { kind: "hook", name: "cors" },
        { kind: "hook", name: "rate-limit" },
      ],
    },
    ...others,
    {
      name: "words",
      version: "1.0.0",
      components: [
        {
          kind: "service",
          name: "count",
          concurrency: 4,
          config_schema: {
            type: "object",
            additionalProperties: false,
            properties: { least: { type: "integer", default: 1 } },
          },
        },
        { kind: "hook", name: "page", concurrency: 2 },
      ],
    },
  ],
};

async function found(text: string): Promise<string[]> {
  return brief(await checkConfig(await load(text), catalog));
}

Deno.test("a service gets its settings, and what it does not say is the cells'", async () => {
  const text = `
cells: { limits: { memory: 256MiB }, timeouts: { stop: 1s } }
services:
  count: { use: words/count, timeout: 2s, max_input: 4KiB, concurrency: 2, config: { least: 3 } }
  page: { use: words/page, cell: shared, environment: [TZ] }
`;
  const { pipelines, diagnostics } = await resolveConfig(await load(text), catalog);
  assert.deepEqual(diagnostics, []);
  const [count, page] = pipelines;
  assert.deepEqual(count!.service, {
    id: "count",
    timeoutMs: 2000,
    maxInput: 4096,
    maxOutput: 16 * 2 ** 20,
    concurrency: 2,
    queue: 64,
  });
  assert.deepEqual([count!.id, count!.cell], ["service:count", "service:count"]);
  assert.equal(count!.limits.memoryBytes, 256 * 2 ** 20);
  assert.deepEqual([count!.timeouts.callMs, count!.timeouts.stopMs], [3000, 1000]);
  assert.deepEqual(count!.components.map(({ kind, config }) => [kind, config]), [
    ["service", { least: 3 }],
  ]);
  assert.deepEqual([page!.cell, page!.environment, page!.service!.concurrency], [
    "shared",
    ["TZ"],
    2,
  ]);
});

Deno.test("what is wrong with a service stands at its place", async () => {
  const text = `services:
  a: { use: words/cuont }
  b: { use: words/count, concurrency: 5 }
  c: { use: words/count, config: { last: 1 } }
  d: { use: file-tail/tail }
  e: { enabled: false, use: nothing }
`;
  assert.deepEqual(await found(text), [
    '2:13 Unknown service "cuont" of plugin "words" in services.a.use',
    '3:39 Cannot make 5 calls at once for services.b.concurrency: "words/count" takes 4',
    '4:36 Unknown key "last" in services.c.config',
    '5:13 Cannot use source "file-tail/tail" as a service in services.d.use',
    '6:29 Unknown plugin "nothing" in services.e.use',
  ]);
});

Deno.test("routes and hooks are looked up, in the order of the hooks", async () => {
  const text = `
pipelines:
${pipeline("sources: { in: { use: builtin/http } }")}
services:
  count: { use: words/count }
  page: { use: words/page }
http:
  listen: { port: 0 }
  hooks:
    - { use: builtin/rate_limit }
    - { use: words/page, timeout: 1s }
    - { id: second, use: builtin/cors }
  routes:
    - { path: /count, service: count }
    - { path: "/pages/:name", method: [GET, POST], endpoint: page, hooks: [second, rate_limit] }
    - { path: /in, source: web/in, hooks: [] }
`;
  const { http, pipelines, diagnostics } = await resolveConfig(await load(text), catalog);
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(pipelines.map(({ id }) => id), [
    "web",
    "service:count",
    "service:page",
    "hook:page",
  ]);
  assert.deepEqual(
    http!.hooks.map(({ id, hook }) => [id, "unit" in hook ? hook.unit : hook.builtin]),
    [
      ["rate_limit", "rate-limit"],
      ["page", "hook:page"],
      ["second", "cors"],
    ],
  );
  assert.deepEqual(http!.routes, [
    {
      path: "/count",
      methods: ["POST"],
      target: { call: "execute", unit: "service:count" },
      hooks: ["rate_limit", "page", "second"],
    },
    {
      path: "/pages/:name",
      methods: ["GET", "POST"],
      target: { call: "handle", unit: "service:page" },
      hooks: ["rate_limit", "second"],
    },
    {
      path: "/in",
      methods: ["POST"],
      target: { call: "receive", pipeline: "web", source: "in" },
      hooks: [],
    },
  ]);
  assert.deepEqual(http!.limits, {
    headerBytes: 32 * 1024,
    bodyBytes: 16 * 2 ** 20,
    timeMs: 30_000,
    requests: 512,
    memoryBytes: 256 * 2 ** 20,
  });
});

Deno.test("what is wrong with routes and hooks stands at its place", async () => {
  const text = `pipelines:
${pipeline()}
services:
  count: { use: words/count }
  page: { use: words/page }
http:
  hooks:
    - { use: builtin/cros }
    - { use: builtin/cors }
    - { use: builtin/cors }
  routes:
    - { path: /a, service: cuont }
    - { path: /b, service: page }
    - { path: /c, endpoint: count }
    - { path: /d, source: web/inn }
    - { path: /e, source: web/in }
    - { path: /f, service: count, hooks: [corse] }
`;
  assert.deepEqual(await found(text), [
    '11:14 Unknown hook "cros" of plugin "builtin" in http.hooks[0].use',
    '13:7 Duplicate id "cors" in http.hooks[2]: give one of them an id',
    '15:28 Unknown service "cuont" in http.routes[0].service',
    '16:28 Cannot use hook "page" for http.routes[1].service: it needs a service',
    '17:29 Cannot use service "count" for http.routes[2].endpoint: it needs a hook',
    '18:27 Unknown source "web/inn" in http.routes[3].source',
    '19:27 Cannot send requests to source "web/in" in http.routes[4].source: builtin/generate takes none',
    '20:43 Unknown hook "corse" in http.routes[5].hooks[0]',
  ]);
});

Deno.test("a route that another one answers for is an error", async () => {
  const text = `pipelines:\n${pipeline()}
services: { count: { use: words/count } }
http:
  routes:
    - { path: "/a/:id", method: [GET, PUT], service: count }
    - { path: "/a/:id", method: POST, service: count }
    - { path: "/a/:name", method: PUT, service: count }
`;
  const [message, ...others] = await found(text);
  assert.deepEqual(others, []);
  assert.match(
    message!,
    /^\d+:\d+ Cannot reach http\.routes\[2\]: PUT "\/a\/:name" is answered by http\.routes\[0\]$/,
  );
});

Deno.test("a source that no route leads to is worth a word", async () => {
  const text = `pipelines:\n${pipeline("sources: { in: { use: builtin/http } }")}`;
  const message = '3:16 No route leads to source "in" of pipeline "web": it gets no events';
  assert.deepEqual(await found(text), [message]);
  const routed = `${text}http: { routes: [{ path: /in, source: web/in }] }\n`;
  assert.deepEqual(await found(routed), []);
});

Deno.test("a buffer that gives up what was answered with 202 is worth a word", async () => {
  const text = (whenFull: string) =>
    `pipelines:
${
      pipeline(
        `sources: { in: { use: builtin/http, buffer: { type: disk, when_full: ${whenFull} } } }`,
      )
    }
http: { routes: [{ path: /in, source: web/in }] }
`;
  const [message] = await found(text("reject"));
  assert.match(
    message!,
    /^\d+:\d+ Source "in" of pipeline "web" answers 202 for events that "reject"/,
  );
  assert.deepEqual(await found(text("block")), []);
});

Deno.test("a route has one target, and a listener that others reach needs TLS or a word", async () => {
  const messages = async (http: string) => brief(await faults(`http: ${http}\n`));
  const two = "{ routes: [{ path: /a, service: a, endpoint: b }] }";
  assert.match((await messages(two))[0]!, /A route needs one of service, endpoint and source/);
  assert.match((await messages("{ routes: [{ path: a, service: a }] }"))[0]!, /it does not match/);
  for (const path of ["/a{2}", "/a*b", "/*/a", "/a?", "//:", "/a b", "/a:b"]) {
    const text = `{ routes: [{ path: "${path}", service: a }] }`;
    assert.match((await messages(text))[0] ?? "", /it does not match/, path);
  }
  for (const path of ["/", "/*", "/a/:b/c.d/*", "/a%20b/~x", "/:a_1"]) {
    assert.deepEqual(await messages(`{ routes: [{ path: "${path}", service: a }] }`), [], path);
  }
  assert.deepEqual(await messages("{ listen: { host: 0.0.0.0 } }"), [
    '1:25 Cannot listen on http.listen.host "0.0.0.0": other machines reach it without TLS',
  ]);
  assert.deepEqual(await messages("{ listen: { host: 0.0.0.0, insecure: true } }"), []);
  const tls = "tls: { certificate: c.pem, key: k.pem }";
  assert.deepEqual(await messages(`{ listen: { host: 0.0.0.0, ${tls} } }`), []);
  const { config } = await load(`http: { listen: { ${tls} } }`);
  assert.ok(config.http!.listen.tls!.certificate.endsWith("/c.pem"));
  assert.ok(config.http!.listen.tls!.certificate.startsWith("/"));
});
