import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Status } from "../../../ffi/layout.ts";
import type { ResolvedHttp } from "../../../src/config/resolved.ts";
import { HttpListener } from "../../../src/host/http_listener.ts";
import type { Backend } from "../../../src/http/backend.ts";
import { waitFor } from "../../support/busbar.ts";
import { ask } from "../../support/http.ts";

const TLS = fileURLToPath(new URL("../../fixtures/tls", import.meta.url));

function settings(listen: Partial<ResolvedHttp["listen"]>): ResolvedHttp {
  return {
    listen: { host: "127.0.0.1", port: 0, tls: null, ...listen },
    limits: {
      headerBytes: 4096,
      bodyBytes: 100,
      timeMs: 10_000,
      requests: 10,
      memoryBytes: 1000,
    },
    hooks: [],
    routes: [{
      path: "/",
      methods: ["GET"],
      target: { call: "execute", unit: "service:it" },
      hooks: [],
    }],
  };
}

/** A service that answers when it is let. */
class Gate implements Backend {
  asked = 0;
  open = Promise.resolve();

  async call() {
    this.asked++;
    await this.open;
    const answer = { status: 200, headers: [], body: new Uint8Array(0) };
    return { status: Status.OK, message: "", answer, changes: {} };
  }

  services() {
    const limits = { timeoutMs: 1000, maxInput: 50, maxOutput: 50, concurrency: 1, queue: 1 };
    return [{ id: "service:it", service: { id: "it", ...limits } }];
  }
}

async function withListener(
  body: (listener: HttpListener, gate: Gate) => Promise<void>,
): Promise<void> {
  const gate = new Gate();
  const listener = new HttpListener(gate);
  try {
    await body(listener, gate);
  } finally {
    await listener.close();
  }
}

function portOf(address: string | undefined): number {
  return Number(new URL(address!).port);
}

Deno.test("the address of one port can change, and what is answered is not touched", () =>
  withListener(async (listener, gate) => {
    await listener.apply(settings({}));
    const port = portOf(listener.address);
    await listener.apply(settings({ port }));
    const later = Promise.withResolvers<void>();
    gate.open = later.promise;
    const waiting = ask(`http://127.0.0.1:${port}/`);
    await waitFor(() => gate.asked === 1);
    const moved = listener.apply(settings({ port, host: "0.0.0.0" }));
    later.resolve();
    assert.equal((await waiting).status, 200);
    await moved;
    assert.equal(listener.address, `http://0.0.0.0:${port}`);
    assert.equal((await ask(`http://127.0.0.1:${port}/`)).status, 200);
  }));

Deno.test("a listener that cannot change goes on as it was", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_test_" });
  const certificate = join(folder, "certificate.pem");
  const key = join(folder, "key.pem");
  try {
    await Deno.writeTextFile(certificate, "none");
    await Deno.copyFile(join(TLS, "server.key"), key);
    await withListener(async (listener) => {
      await listener.apply(settings({}));
      const { address } = listener;
      const port = portOf(address);
      const tls = { certificate, key };
      await assert.rejects(
        listener.apply(settings({ port, tls })),
        /Cannot listen on 127\.0\.0\.1/,
      );
      assert.equal(listener.address, address);
      assert.equal((await ask(`${address}/`)).status, 200);
      using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const taken = listener.apply(settings({ port: other.addr.port }));
      await assert.rejects(taken, /the port is in use/);
      assert.equal((await ask(`${address}/`)).status, 200);
      await Deno.copyFile(join(TLS, "server.pem"), certificate);
      await listener.apply(settings({ port, tls }));
      assert.equal(listener.address, `https://127.0.0.1:${port}`);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
