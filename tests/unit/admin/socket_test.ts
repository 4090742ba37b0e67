import assert from "node:assert/strict";
import { join } from "node:path";
import { createApp } from "../../../src/admin/app.ts";
import { serveAdminSocket } from "../../../src/admin/server.ts";
import { adminSocketPath } from "../../../src/admin/socket_path.ts";

const app = createApp({
  pipelines: { pipelines: () => [] },
  plugins: { plugins: () => [] },
  host: "localhost",
});

async function ask(dataDirectory: string): Promise<unknown> {
  const proxy = { transport: "unix" as const, path: adminSocketPath(dataDirectory) };
  using client = Deno.createHttpClient({ proxy });
  return await (await fetch("http://localhost/healthz", { client })).json();
}

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_socket_" });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the admin socket is for its owner alone, takes the place of a dead host's, and is gone afterwards", () =>
  withFolder(async (folder) => {
    const path = join(folder, "admin.sock");
    // As a host leaves it that was killed.
    const code = `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} });
      Deno.kill(Deno.pid, "SIGKILL");`;
    await new Deno.Command(Deno.execPath(), { args: ["eval", code] }).output();
    assert.ok(Deno.statSync(path).isSocket);
    const server = serveAdminSocket(app, folder);
    try {
      assert.equal(server.address, path);
      assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
      assert.deepEqual(await ask(folder), { status: "ok" });
    } finally {
      await server.close();
    }
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  }));

Deno.test("where the data folder's path is too long for a socket, a file in it says where the socket is", () =>
  withFolder(async (folder) => {
    const long = join(folder, "x".repeat(120));
    await Deno.mkdir(long);
    const server = serveAdminSocket(app, long);
    try {
      assert.ok(server.address.length < 107);
      assert.deepEqual(await ask(long), { status: "ok" });
    } finally {
      await server.close();
    }
    assert.throws(() => Deno.statSync(server.address), Deno.errors.NotFound);
  }));
