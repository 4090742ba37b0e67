import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fixture, PLUGINS } from "../fixtures/build.ts";
import { withBusbar } from "../support/busbar.ts";
import { ask, httpAddress } from "../support/http.ts";

await fixture("callee");

const TLS = fileURLToPath(new URL("../fixtures/tls", import.meta.url));

function config(http: Record<string, unknown>, rest: Record<string, unknown> = {}) {
  return {
    plugins: { directories: [PLUGINS], watch: { enabled: false } },
    cells: { restart: { initial: "10ms" } },
    services: { act: { use: "callee/act", max_input: "1KiB" }, shown: { use: "callee/mark" } },
    http: { listen: { port: 0 }, ...http },
    ...rest,
  };
}

Deno.test("routes lead to services and endpoints, and nothing else is there", async () => {
  const routes = [
    { path: "/act", method: ["POST", "PUT"], service: "act" },
    { path: "/shown/:name", method: "GET", endpoint: "shown" },
  ];
  await withBusbar({ config: config({ routes }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    const echo = await ask(`${address}/act`, { method: "POST", body: "echo hi" });
    assert.deepEqual([echo.status, echo.text], [200, "hi"]);
    assert.match(echo.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    const shown = await ask(`${address}/shown/a%20b?x=1&y=2`, {
      headers: { "x-request-id": "mine-1" },
    });
    assert.deepEqual([shown.status, shown.text], [201, "GET /shown/a%20b?x=1&y=2 marks="]);
    assert.equal(shown.headers.get("x-request-id"), "mine-1");
    const wrong = await ask(`${address}/act`);
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "POST, PUT"]);
    assert.equal((await ask(`${address}/nowhere`)).status, 404);
    const bad = await ask(`${address}/act`, { method: "POST", body: "what" });
    assert.deepEqual([bad.status, JSON.parse(bad.text).error], [400, {
      code: "Invalid",
      message: "Cannot act: unknown word",
    }]);
    const large = await ask(`${address}/act`, { method: "POST", body: "x".repeat(2000) });
    assert.equal(large.status, 413);
    const crash = await ask(`${address}/act`, { method: "POST", body: "crash" });
    assert.deepEqual([crash.status, JSON.parse(crash.text).error.code], [502, "Crashed"]);
    assert.equal((await ask(`${address}/act`, { method: "POST", body: "greet" })).text, "hello");

    const { routes: counted } = await busbar.get("/api/v1/http");
    assert.deepEqual(counted[0].statuses, { "2xx": 2, "4xx": 2, "5xx": 1 });
    const services = await busbar.get("/api/v1/services");
    assert.deepEqual(
      services.map(({ id, kind, status }: Record<string, unknown>) => [id, kind, status]),
      [["act", "service", "running"], ["shown", "hook", "running"]],
    );
    assert.equal((await busbar.get("/api/v1/services/act")).concurrency, 4);
    assert.deepEqual(await busbar.get("/api/v1/pipelines"), []);
  });
});

Deno.test("hooks see requests and answers in the configured order", async () => {
  const hooks = ["b", "a", "c"].map((mark) => ({ id: mark, use: "callee/mark", config: { mark } }));
  const routes = [
    { path: "/all", method: "GET", endpoint: "shown" },
    { path: "/some", method: "GET", endpoint: "shown", hooks: ["c", "b"] },
    { path: "/none", method: "GET", endpoint: "shown", hooks: [] },
  ];
  await withBusbar({ config: config({ hooks, routes }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    for (const [path, marks] of [["all", "b,a,c"], ["some", "b,c"], ["none", ""]] as const) {
      const { text, headers } = await ask(`${address}/${path}`);
      assert.equal(text, `GET /${path}? marks=${marks}`);
      assert.equal(headers.get("x-marks") ?? "", marks);
    }
  });
});

Deno.test("what is too long, too slow or from nobody is refused", async () => {
  const routes = [{ path: "/act", service: "act" }];
  const limits = { body: "512B", header: "1KiB", time: "300ms" };
  await withBusbar({ config: config({ routes, limits }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    const long = await ask(`${address}/act`, { method: "POST", body: "x".repeat(600) });
    assert.deepEqual([long.status, JSON.parse(long.text).error.code], [413, "InputTooLarge"]);
    const headers = await ask(`${address}/act`, {
      method: "POST",
      body: "greet",
      headers: { "x-long": "y".repeat(2000) },
    });
    assert.equal(headers.status, 431);

    const url = new URL(address);
    const slow = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
    const send = (text: string) => slow.write(new TextEncoder().encode(text));
    await send("POST /act HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\necho ");
    const answer = new Uint8Array(4096);
    const length = await slow.read(answer);
    slow.close();
    assert.match(new TextDecoder().decode(answer.subarray(0, length!)), /^HTTP\/1\.1 408 /);

    // Others were answered meanwhile, and are afterwards.
    assert.equal((await ask(`${address}/act`, { method: "POST", body: "greet" })).text, "hello");
  });
});

Deno.test("auth, cors and rate-limit work together", async () => {
  const routes = [{ path: "/shown", method: "GET", endpoint: "shown" }];
  const hooks = [
    { use: "builtin/cors", config: { origins: ["https://a.example"], headers: ["authorization"] } },
    { use: "builtin/rate_limit", config: { rate: "1/h", burst: 3 } },
    { use: "builtin/auth", config: { basic: { users: { ann: "secret" } } } },
  ];
  await withBusbar({ config: config({ hooks, routes }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    const origin = { origin: "https://a.example" };
    const preflight = await ask(`${address}/shown`, {
      method: "OPTIONS",
      headers: { ...origin, "access-control-request-method": "GET" },
    });
    assert.deepEqual(
      [preflight.status, preflight.headers.get("access-control-allow-origin")],
      [204, "https://a.example"],
    );
    const stranger = await ask(`${address}/shown`, { headers: origin });
    assert.equal(stranger.status, 401);
    assert.equal(stranger.headers.get("access-control-allow-origin"), "https://a.example");
    const authorization = `Basic ${btoa("ann:secret")}`;
    const known = await ask(`${address}/shown`, { headers: { authorization } });
    assert.equal(known.status, 201);
    assert.equal((await ask(`${address}/shown`, { headers: { authorization } })).status, 201);
    const often = await ask(`${address}/shown`, { headers: { authorization } });
    assert.equal(often.status, 429);
    assert.equal(often.headers.get("retry-after"), "3600");
  });
});

Deno.test("with a certificate requests come over TLS, and HEAD is answered as GET", async () => {
  const tls = { certificate: join(TLS, "server.pem"), key: join(TLS, "server.key") };
  const routes = [{ path: "/shown", method: "GET", endpoint: "shown" }];
  const listen = { port: 0, tls };
  await withBusbar({ config: config({ routes, listen }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    assert.match(address, /^https:/);
    using client = Deno.createHttpClient({
      caCerts: [await Deno.readTextFile(join(TLS, "authority.pem"))],
    });
    const url = address.replace("127.0.0.1", "localhost");
    const answer = await fetch(`${url}/shown`, { client });
    assert.deepEqual([answer.status, await answer.text()], [201, "GET /shown? marks="]);
    const head = await fetch(`${url}/shown`, { client, method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [201, ""]);
  });
});

Deno.test("routes change with the configuration, and nothing that runs fails", async () => {
  const routes = [{ path: "/act", service: "act" }];
  await withBusbar({ config: config({ routes }) }, async (busbar) => {
    const address = await httpAddress(busbar);
    const file = join(busbar.folder, "busbar.yaml");
    const text = await Deno.readTextFile(file);
    let running = true;
    const load = Array.from({ length: 4 }, async () => {
      while (running) {
        const { status, text } = await ask(`${address}/act`, { method: "POST", body: "sleep 5" });
        assert.equal(status, 200, text);
      }
    });
    await Deno.writeTextFile(
      file,
      text.replace("max_input: 1KiB", "max_input: 2KiB").replace(
        "routes:",
        "routes:\n    - { path: /new, method: GET, endpoint: shown }",
      ),
    );
    busbar.kill("SIGHUP");
    await busbar.log(({ message }) => message.startsWith("Configuration reloaded"));
    running = false;
    await Promise.all(load);
    assert.equal((await ask(`${address}/new`)).status, 201);
    assert.equal(
      (await ask(`${address}/act`, { method: "POST", body: `echo ${"x".repeat(1500)}` })).status,
      200,
    );
  });
});

Deno.test("requests that are written strangely reach no other route, and are answered as errors", async () => {
  const routes = [
    { path: "/open/*", method: "GET", endpoint: "shown", hooks: [] },
    { path: "/closed/*", method: "GET", endpoint: "shown", hooks: ["auth"] },
    { path: "/head", method: "HEAD", endpoint: "shown", hooks: [] },
  ];
  const hooks = [{ use: "builtin/auth", config: { basic: { users: { ann: "x" } } } }];
  await withBusbar({ config: config({ hooks, routes }) }, async (busbar) => {
    const { hostname, port } = new URL(await httpAddress(busbar));
    const statusOf = async (line: string, host = "a") => {
      using connection = await Deno.connect({ hostname, port: Number(port) });
      const request = `${line} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
      await connection.write(new TextEncoder().encode(request));
      const answer = await new Response(connection.readable).text();
      return Number(answer.split(" ")[1]);
    };
    assert.equal(await statusOf("GET /open/x"), 201);
    for (
      const path of ["/closed/x", "/open/../closed/x", "/open/%2e%2E/closed/x", "/%63losed/x"]
    ) assert.equal(await statusOf(`GET ${path}`), 401, path);
    assert.equal(await statusOf("HEAD /head"), 201);
    assert.equal(await statusOf("GET /open/x", "["), 400);
    assert.equal(await statusOf("GET /x", "a/open"), 400);
    assert.doesNotMatch(busbar.stderr, /TypeError/);
  });
});
