import assert from "node:assert/strict";
import { join } from "node:path";
import { runBusbar, withBusbar } from "../../support/busbar.ts";

Deno.test("a second host on a data folder is refused, naming the process that uses it", async () => {
  await withBusbar({ config: { pipelines: {} } }, async (busbar) => {
    const config = join(busbar.folder, "busbar.yaml");
    const second = await runBusbar(["run", "-c", config]);
    assert.equal(second.code, 3, second.stderr);
    assert.match(second.stderr, new RegExp(`the busbar with pid ${busbar.pid} uses it`));
    assert.equal((await busbar.fetch("/healthz")).status, 200);
  });
});
