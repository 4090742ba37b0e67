import assert from "node:assert/strict";
import { type Busbar, waitFor, withBusbar } from "../../support/busbar.ts";
import { ask, httpAddress } from "../../support/http.ts";
import { serviceConfig } from "../../support/services.ts";

/** Asks the service by its route and by the API, which must agree. */
interface Way {
  name: string;
  ask(
    input: string,
  ): Promise<{ status: number; code?: string; again: string | null; text: string }>;
}

async function waysTo(busbar: Busbar): Promise<Way[]> {
  const address = await httpAddress(busbar);
  const urls = { api: `${busbar.address}/api/v1/plugins/act/execute`, route: `${address}/act` };
  return Object.entries(urls).map(([name, url]) => ({
    name,
    async ask(input) {
      const { status, text, headers } = await ask(url, { method: "POST", body: input });
      const code = status < 400 ? undefined : JSON.parse(text).error.code;
      return { status, code, again: headers.get("retry-after"), text };
    },
  }));
}

const HTTP = { listen: { port: 0 }, routes: [{ path: "/act", service: "act" }] };

Deno.test("limits of size, time and number hold alike by the API and by a route", async () => {
  const limits = {
    max_input: "1KiB",
    max_output: "1KiB",
    timeout: "2s",
    concurrency: 1,
    queue: 1,
  };
  const config = serviceConfig(limits, { http: HTTP });
  await withBusbar({ config }, async (busbar) => {
    for (const { name, ask } of await waysTo(busbar)) {
      const expect = async (input: string, wanted: [number, string, string | null]) => {
        const { status, code, again } = await ask(input);
        assert.deepEqual([status, code, again], wanted, `${name}: ${input.slice(0, 20)}`);
      };
      await expect(`echo ${"x".repeat(1020)}`, [413, "InputTooLarge", null]);
      assert.equal((await ask(`echo ${"x".repeat(1019)}`)).status, 200, name);
      await expect("big 1025", [502, "Failed", null]);
      assert.equal((await ask("big 1024")).text.length >= 1024, true, name);
      await expect("sleep 2300", [504, "Timeout", null]);
      await waitFor(async () => (await ask("greet")).status === 200, { busbar });
      const five = await Promise.all(Array.from({ length: 5 }, () => ask("sleep 600")));
      const refused = five.filter(({ status }) => status !== 200);
      assert.deepEqual(
        refused.map(({ status, code, again }) => [status, code, again]),
        Array(3).fill([429, "Busy", "1"]),
        name,
      );
    }
    await busbar.fetch("/api/v1/services/act/stop", { method: "POST" });
    for (const { name, ask } of await waysTo(busbar)) {
      const { status, code, again } = await ask("greet");
      assert.deepEqual([status, code, again], [503, "NotRunning", "1"], name);
    }
  });
});

Deno.test("a call that never returns is blamed on its plugin, and no other call fails", async () => {
  const services = {
    act: { use: "callee/act", timeout: "3s" },
    other: { use: "callee/act" },
  };
  const config = serviceConfig({}, { services, http: HTTP });
  await withBusbar({ config }, async (busbar) => {
    const [api, route] = await waysTo(busbar);
    await waitFor(async () => (await route!.ask("greet")).status === 200, { busbar });
    const other = await busbar.get("/api/v1/services/other");
    const stuck = [api!, route!].map((way) => way.ask("spin"));
    let running = true;
    const asked = Promise.all([api!, route!].map(async ({ ask, name }) => {
      let count = 0;
      for (; running; count++) {
        const { status, text } = await ask("sleep 50");
        assert.equal(status, 200, `${name}: ${text}`);
      }
      return count;
    }));
    for (const { status, code } of await Promise.all(stuck)) {
      assert.deepEqual([status, code], [504, "Timeout"]);
    }
    const killed = waitFor(async () => {
      const { lastExit, status } = await busbar.get("/api/v1/services/act");
      return lastExit !== null && status === "running" && lastExit;
    }, { what: "the end of the cell", busbar });
    // A call that fails ends the test before.
    const { reason, culprit, component, call, message } = await Promise.race([
      killed,
      asked.then(() => killed),
    ]);
    running = false;
    for (const count of await asked) assert.ok(count > 0);
    assert.deepEqual([reason, culprit, component, call], [
      "hang",
      "callee 0.1.0",
      "act",
      "execute",
    ]);
    assert.match(message, /call did not return within 4000 ms/);
    assert.equal((await busbar.get("/api/v1/services/act")).restarts, 1);
    const after = await busbar.get("/api/v1/services/other");
    assert.deepEqual([after.cell.pid, after.restarts], [other.cell.pid, 0]);
  });
});
