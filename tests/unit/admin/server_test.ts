import assert from "node:assert/strict";
import { createApp } from "../../../src/admin/app.ts";
import { serveAdmin } from "../../../src/admin/server.ts";

function app() {
  return createApp({
    pipelines: { pipelines: () => [{ id: "web", status: "running" }] },
    plugins: { plugins: () => [] },
    host: "127.0.0.1",
  });
}

Deno.test("serveAdmin() serves on a free port and stops listening when it is closed", async () => {
  const server = serveAdmin(app(), { host: "127.0.0.1", port: 0 });
  assert.match(server.address, /^http:\/\/127\.0\.0\.1:\d+$/);
  const response = await fetch(`${server.address}/api/v1/pipelines`);
  assert.deepEqual(await response.json(), [{ id: "web", status: "running" }]);
  await server.close();
  await assert.rejects(fetch(`${server.address}/healthz`));
});

Deno.test("serveAdmin() names the port that is in use", async () => {
  const first = serveAdmin(app(), { host: "127.0.0.1", port: 0 });
  try {
    const port = Number(new URL(first.address).port);
    assert.throws(
      () => serveAdmin(app(), { host: "127.0.0.1", port }),
      new RegExp(`^Error: Cannot listen on 127\\.0\\.0\\.1, port ${port}: the port is in use; `),
    );
  } finally {
    await first.close();
  }
});

Deno.test("serveAdmin() says when the machine does not have the address", () => {
  assert.throws(
    () => serveAdmin(app(), { host: "192.0.2.1", port: 0 }),
    /Cannot listen on 192\.0\.2\.1, port 0: this machine does not have that address/,
  );
});

Deno.test("close() does not wait for a client that never finishes its request", async () => {
  const server = serveAdmin(app(), { host: "127.0.0.1", port: 0 });
  const port = Number(new URL(server.address).port);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: loc"));
  await server.close();
});

Deno.test("over a socket, foreign hosts are refused as well", async () => {
  const server = serveAdmin(app(), { host: "127.0.0.1", port: 0 });
  try {
    const port = Number(new URL(server.address).port);
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const request = "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    await connection.write(new TextEncoder().encode(request));
    const answer = await new Response(connection.readable).text();
    assert.match(answer, /^HTTP\/1\.1 421 /);
  } finally {
    await server.close();
  }
});
