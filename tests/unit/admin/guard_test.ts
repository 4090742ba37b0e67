import assert from "node:assert/strict";
import { Hono } from "hono";
import { guard, isOwnName } from "../../../src/admin/guard.ts";

Deno.test("isOwnName() knows loopback, whatever the server is bound to", () => {
  for (const name of ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"]) {
    assert.ok(isOwnName(name, "10.0.0.5"), name);
  }
  for (const name of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""]) {
    assert.ok(!isOwnName(name, "127.0.0.1"), name);
  }
});

Deno.test("isOwnName() takes the address that the server is bound to, and no other", () => {
  assert.ok(isOwnName("10.0.0.5", "10.0.0.5"));
  assert.ok(!isOwnName("10.0.0.6", "10.0.0.5"));
  assert.ok(isOwnName("[fd00::1]", "fd00::1"));
  assert.ok(isOwnName("rail.example", "rail.example"));
});

Deno.test("isOwnName() takes every address, but no foreign name, where all addresses are bound", () => {
  for (const bound of ["0.0.0.0", "::", "[::]"]) {
    assert.ok(isOwnName("10.0.0.5", bound), bound);
    assert.ok(isOwnName("[fd00::1]", bound), bound);
    assert.ok(isOwnName(Deno.hostname().toLowerCase(), bound), bound);
    assert.ok(!isOwnName("evil.example", bound), bound);
  }
});

Deno.test("guard() refuses Host headers that are more than a host and a port", async () => {
  const app = new Hono();
  app.use(guard("127.0.0.1"));
  app.get("/", (context) => context.text("in"));
  const status = async (host: string) =>
    (await app.request("/", { headers: { Host: host } })).status;
  for (const host of ["localhost", "LOCALHOST:80", "127.0.0.1:7700", "[::1]:7700"]) {
    assert.equal(await status(host), 200, host);
  }
  for (
    const host of [
      "evil.example@localhost",
      "localhost@evil.example",
      "localhost/evil",
      "localhost evil",
      "evil.example#localhost",
      "localhost:port",
      "::1",
    ]
  ) {
    assert.equal(await status(host), 421, host);
  }
});
