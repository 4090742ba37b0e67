import assert from "node:assert/strict";
import { join } from "node:path";
import { type Busbar, runBusbar, waitFor, withBusbar } from "../../support/busbar.ts";
import { execute, serviceConfig } from "../../support/services.ts";

/** What a command prints. */
async function service(busbar: Busbar, ...args: string[]) {
  const file = join(busbar.folder, "busbar.yaml");
  return await runBusbar(["service", ...args, "-c", file]);
}

async function greets(busbar: Busbar): Promise<void> {
  const { status, body } = await execute(busbar, "greet");
  assert.deepEqual([status, body.output], [200, "hello"]);
}

async function refuses(busbar: Busbar, why: string): Promise<void> {
  const { status, body } = await execute(busbar, "greet");
  assert.deepEqual([status, body.error?.code], [503, "NotRunning"]);
  assert.match(body.error.message, new RegExp(why));
}

Deno.test("a service that has crashed too often is started again by the operator", async () => {
  const config = serviceConfig({ restart: { max_restarts: 1 } });
  await withBusbar({ config }, async (busbar) => {
    await greets(busbar);
    for (let i = 0; i < 2; i++) assert.equal((await execute(busbar, "crash")).status, 502);
    await busbar.log(({ message }) => /is not started again: 1 restarts/.test(message));
    await refuses(busbar, "failed");
    assert.equal((await busbar.fetch("/readyz")).status, 503);
    const listed = await service(busbar, "list");
    assert.match(listed.stdout, /^act +callee\/act +failed +running +1 +-$/m);
    const started = await service(busbar, "start", "act");
    assert.equal(started.code, 0, started.stderr);
    assert.match(started.stdout, /^Service "act" is (starting|running)\n$/);
    await greets(busbar);
    assert.equal((await busbar.fetch("/readyz")).status, 200);
    // It counts from nothing again.
    assert.equal((await execute(busbar, "crash")).status, 502);
    await greets(busbar);
  });
});

Deno.test("a service is stopped, also for later hosts, started and restarted", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_services_" });
  const config = serviceConfig({}, { data_dir: folder });
  try {
    await withBusbar({ config }, async (busbar) => {
      await greets(busbar);
      const slow = execute(busbar, "sleep 300");
      await waitFor(async () => (await busbar.get("/api/v1/services/act")).status === "running");
      const stopped = await service(busbar, "stop", "act", "--json");
      assert.deepEqual(JSON.parse(stopped.stdout), {
        id: "act",
        status: "stopped",
        desired: "stopped",
      });
      // What was under way is waited for.
      assert.equal((await slow).status, 200);
      await refuses(busbar, "stopped");
      assert.equal((await busbar.fetch("/readyz")).status, 200);
      const unknown = await service(busbar, "start", "nothing");
      assert.equal(unknown.code, 1);
      assert.match(unknown.stderr, /Unknown service "nothing"/);
      const [{ action, target, who }] = await busbar.get("/api/v1/audit");
      assert.deepEqual([action, target, who], ["service.stop", "act", "admin socket"]);
    });
    await withBusbar({ config }, async (busbar) => {
      await busbar.log(({ message }) =>
        message ===
          'Service "act" is not started: it was stopped; "busbar service start act" starts it'
      );
      await refuses(busbar, "stopped");
      const { status, body } = await busbar.fetch("/api/v1/services/act/start", { method: "POST" });
      assert.deepEqual([status, body.id, body.desired], [200, "act", "running"]);
      await greets(busbar);
      const [{ cell }] = await busbar.get("/api/v1/services");
      assert.equal((await service(busbar, "restart", "act")).code, 0);
      await greets(busbar);
      assert.notEqual((await busbar.get("/api/v1/services/act")).cell.pid, cell.pid);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a hook of http is steered by hook:ID", async () => {
  const http = {
    listen: { port: 0 },
    hooks: [{ use: "callee/mark" }],
    routes: [{ path: "/act", service: "act" }],
  };
  await withBusbar({ config: serviceConfig({}, { http }) }, async (busbar) => {
    const address = await waitFor(() => /answers requests on (\S+)/.exec(busbar.stderr)?.[1]);
    const ask = async () => {
      const response = await fetch(`${address}/act`, { method: "POST", body: "greet" });
      return [response.status, await response.text()];
    };
    await waitFor(async () => (await ask())[0] === 200, { what: "an answer", busbar });
    assert.equal((await service(busbar, "stop", "hook:mark")).stdout, 'Hook "mark" is stopped\n');
    const [status, text] = await ask();
    assert.equal(status, 503);
    assert.match(`${text}`, /NotRunning/);
    assert.equal((await busbar.get("/api/v1/services/hook:mark")).desired, "stopped");
    assert.match((await service(busbar, "list")).stdout, /^hook:mark +callee\/mark +stopped/m);
    assert.equal((await service(busbar, "start", "hook:mark")).code, 0);
    assert.deepEqual(await ask(), [200, "hello"]);
  });
});
