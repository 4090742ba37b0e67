/** Runs docs/examples/http_endpoint as its README says. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { runBusbar, waitFor, withBusbar } from "../support/busbar.ts";
import { ask, httpAddress } from "../support/http.ts";

const EXAMPLE = fileURLToPath(new URL("../../docs/examples/http_endpoint", import.meta.url));

Deno.test("the example of an HTTP endpoint does what it says", async () => {
  const plugins = await Deno.makeTempDir({ prefix: "busbar_test_" });
  try {
    await buildPlugin({ folder: join(EXAMPLE, "plugin"), outDir: plugins });
    const config = await Deno.readTextFile(join(EXAMPLE, "busbar.yaml"));
    const sets = ["--set", "server.port=0", "--set", "http.listen.port=0"];
    await withBusbar({ config, args: [...sets, "--plugin-dir", plugins] }, async (busbar) => {
      const address = await httpAddress(busbar);
      const greeting = await ask(`${address}/greetings/Ada`, {
        headers: { origin: "https://shop.example" },
      });
      assert.deepEqual(
        [greeting.status, greeting.text, greeting.headers.get("x-greeter")],
        [200, '{"greeting":"Hello, Ada"}', "1"],
      );
      assert.equal(
        greeting.headers.get("access-control-allow-origin"),
        "https://shop.example",
      );
      const refused = await ask(`${address}/greetings/${"x".repeat(200)}`);
      assert.deepEqual([refused.status, JSON.parse(refused.text).error], [400, "That is no name"]);

      const data = join(busbar.folder, "data");
      const executed = await runBusbar(["execute", "greeter", "Ada", "--data-dir", data]);
      assert.deepEqual([executed.code, executed.stdout], [0, '{"greeting":"Hello, Ada"}']);

      const visit = { method: "POST", body: '{"visitor":"Ada"}' };
      const stranger = await ask(`${address}/visits`, visit);
      assert.deepEqual([stranger.status, stranger.headers.get("x-greeter")], [401, "1"]);
      const authorization = `Basic ${btoa("ann:open sesame")}`;
      const known = await ask(`${address}/visits`, { ...visit, headers: { authorization } });
      assert.deepEqual([known.status, known.text], [202, '{"accepted":1}']);
      await waitFor(() => busbar.stdout.includes('"key":"Ada"'), { what: "the visit", busbar });
    });
  } finally {
    await Deno.remove(plugins, { recursive: true });
  }
});
