import assert from "node:assert/strict";
import { join } from "node:path";
import { FAULTS, fixture } from "../fixtures/build.ts";
import { runBusbar, withBusbar, writeConfig } from "../support/busbar.ts";

/** Pipelines of the plugins that need the shared runtime: one names the library, the other only its symbol. */
function configOf(names: string[], preload: string[]): Record<string, unknown> {
  return {
    plugins: { directories: names.map((name) => join(FAULTS, name)), preload },
    pipelines: Object.fromEntries(names.map((name) => [name, {
      sources: { three: { use: `${name}/source` } },
      reactions: {
        lines: { use: "builtin/stdout", from: ["three"], config: { format: "payload" } },
      },
      restart: { initial: "1ms", max_restarts: 1 },
    }])),
  };
}

async function check(config: Record<string, unknown>) {
  const folder = await Deno.makeTempDir({ prefix: "busbar_preload_" });
  try {
    return await runBusbar(["run", "-c", await writeConfig(folder, config), "--until-done"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const LIBRARY = "needs-preloaded-library";
const SYMBOL = "needs-preloaded-symbol";

Deno.test("plugins.preload: plugins that need a shared runtime find it in their cell", async () => {
  const { libraryPath } = await fixture("shared-rt");
  const { code, stdout, stderr } = await check(configOf([LIBRARY, SYMBOL], [libraryPath]));
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.trimEnd().split("\n").sort(), ["1", "1", "2", "2", "3", "3"]);
});

Deno.test("without plugins.preload a plugin that links the runtime is refused, and the library named", async () => {
  await fixture("shared-rt");
  const { code, stderr } = await check(configOf([LIBRARY], []));
  assert.equal(code, 2);
  assert.match(
    stderr,
    /Cannot load plugin "needs-preloaded-library".*"libbusbar_shared_rt\.so", needed by "[^"]*", is missing/,
  );
});

Deno.test("without plugins.preload a plugin that only uses the runtime fails to load, and the symbol is named", async () => {
  await fixture("shared-rt");
  const pipelines = {
    steady: {
      sources: { made: { use: "builtin/generate", config: { rate: "100/s" } } },
      reactions: { gone: { use: "builtin/discard", from: ["made"] } },
    },
  };
  const config = configOf([SYMBOL], []);
  Object.assign(config.pipelines as object, pipelines);
  await withBusbar({ config }, async (busbar) => {
    const { lastExit } = await busbar.pipeline(SYMBOL, ({ status }) => status === "failed");
    assert.equal(lastExit.culprit, `${SYMBOL} 1.0.0`);
    assert.match(
      lastExit.message,
      /Cannot load plugin "needs-preloaded-symbol" from "[^"]*": undefined symbol "busbar_shared_rt_value"; .*plugins\.preload/,
    );
    await busbar.pipeline("steady", ({ status }) => status === "running");
  });
});

Deno.test("plugins.preload: an entry that is no library is an error that names it", async () => {
  await fixture("shared-rt");
  const missing = "/nowhere/libmissing.so";
  const { code, stderr } = await check(configOf([SYMBOL], [missing]));
  assert.equal(code, 2);
  assert.match(stderr, /busbar\.yaml:\d+:\d+: error: .*"\/nowhere\/libmissing\.so"/);
});
