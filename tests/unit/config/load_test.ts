import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError, formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { brief, faults, load, pipeline } from "./support.ts";

Deno.test("loadConfig() fills in every default", async () => {
  const { config, warnings } = await load(`data_dir: /x\npipelines:\n${pipeline()}`);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config, {
    data_dir: "/x",
    server: { enabled: true, host: "127.0.0.1", port: 7700, insecure: false },
    log: { level: "info", format: "auto" },
    plugins: {
      directories: undefined,
      preload: [],
      watch: { enabled: true, interval: 30_000, debounce: 500 },
      compatibility: "abi",
      use: {},
    },
    cells: {
      limits: { memory: 2 ** 30, descriptors: 1024 },
      restart: { initial: 100, max: 30_000, multiplier: 2, max_restarts: 10, window: 60_000 },
      timeouts: { create: 30_000, call: 30_000, stop: 10_000, health: 2000 },
      environment: [],
      shutdown_timeout: 30_000,
    },
    services: {},
    pipelines: {
      web: {
        enabled: true,
        partitions: 1,
        validate: "normal",
        batch: { max_events: 1024, max_bytes: 2 ** 20, max_delay: 5, in_flight: 4 },
        checkpoint_interval: 1000,
        dead_letters: { max_bytes: 256 * 2 ** 20, max_age: 30 * 86_400_000 },
        sources: { in: { use: "builtin/generate" } },
        processors: {},
        reactions: {
          out: {
            use: "builtin/discard",
            from: ["in"],
            retry: { initial: 100, max: 30_000, multiplier: 2, max_attempts: 0, jitter: 0.2 },
            on_failure: "dead_letter",
          },
        },
      },
    },
  });
});

Deno.test("loadConfig() works without a file", async () => {
  const { config } = await loadConfig({ env: { BUSBAR_SERVER__PORT: "0" } });
  assert.deepEqual([config.server.port, config.pipelines], [0, {}]);
});

Deno.test("loadConfig() reports all errors at once, in the order of the file", async () => {
  const text = `server: { port: 70000, prot: 1 }
log: { level: warn, format: [pretty] }
cells: { limits: { memory: 5 parsecs, cpu: 0 }, timeouts: { call: 0ms } }
plugins: { watch: { interval: 90d }, preload: x }
extra: 1
pipelines:
  Web: {}
  web:
    partitions: 1.5
    batch: { max_delay: 5, max_bytes: 1KiB }
    sources: {}
    processors: { p: { use: x, from: [] } }
    queries: { q: { sql: select } }
    reactions: { r: { from: [in, 5] } }
`;
  assert.deepEqual(brief(await faults(text)), [
    "1:17 Expected at most 65535 for server.port",
    '1:24 Unknown key "prot" in server',
    '2:15 Expected one of "trace", "debug", "info", "warning", "error", "fatal" for log.level',
    '2:29 Expected one of "auto", "pretty", "json" for log.format',
    '3:28 Cannot read size "5 parsecs": expected a number of bytes, or a number with a unit such as 64MiB, 10MB or 1024B (cells.limits.memory)',
    "3:44 Expected more than 0 for cells.limits.cpu",
    '3:67 Cannot use "0ms": must be at least 1ms (cells.timeouts.call)',
    '4:31 Cannot use "90d": must be at most 24d (plugins.watch.interval)',
    "4:47 Expected a list for plugins.preload, found text",
    '5:1 Unknown key "extra"',
    '7:3 Cannot use the name "Web" in pipelines',
    "9:17 Expected a whole number for pipelines.web.partitions, found the number 1.5",
    "10:25 Expected a duration such as 500ms, 30s or 5m for pipelines.web.batch.max_delay, found the number 5",
    '10:39 Cannot use "1KiB": must be at least 4KiB (pipelines.web.batch.max_bytes)',
    "11:5 A pipeline needs at least one source (pipelines.web.sources)",
    "12:38 Expected at least 1 entry for pipelines.web.processors.p.from",
    "13:5 Continuous queries are not in this version: remove queries, or use a processor (pipelines.web.queries)",
    '14:18 Missing "use" in pipelines.web.reactions.r',
    "14:34 Expected text for pipelines.web.reactions.r.from[1], found the number 5",
  ]);
});

Deno.test("an unknown key comes with the key that was meant and a caret under it", async () => {
  const [found] = await faults("server:\n  prot: 1\n");
  assert.equal(
    formatDiagnostic(found!),
    `busbar.yaml:2:3: error: Unknown key "prot" in server
    2 |   prot: 1
      |   ^^^^
  did you mean "port"?`,
  );
});

Deno.test("loadConfig() wants a source and a reaction in each pipeline", async () => {
  assert.deepEqual(brief(await faults("pipelines:\n  web:\n")), [
    '2:3 Missing "sources" in pipelines.web',
    '2:3 Missing "reactions" in pipelines.web',
  ]);
});

Deno.test("loadConfig() wants a word before it listens beyond the machine", async () => {
  assert.deepEqual(brief(await faults("server: { host: 0.0.0.0 }")), [
    '1:17 Cannot listen on server.host "0.0.0.0": other machines reach it without TLS',
  ]);
  for (
    const server of [
      "host: 0.0.0.0, insecure: true",
      "host: 0.0.0.0, enabled: false",
      'host: "::1"',
    ]
  ) {
    assert.deepEqual(await faults(`server: { ${server} }`), []);
  }
});

Deno.test("loadConfig() takes relative paths from the folder of the file, overrides from here", async () => {
  const { config } = await load(
    "data_dir: data\nplugins: { directories: [p], preload: [libx.so.1, ./l.so], use: { x: { path: ./x.so } } }",
    { path: "/etc/busbar/busbar.yaml" },
  );
  assert.equal(config.data_dir, "/etc/busbar/data");
  assert.deepEqual(config.plugins.directories, ["/etc/busbar/p"]);
  assert.deepEqual(config.plugins.preload, ["libx.so.1", "/etc/busbar/l.so"]);
  assert.equal(config.plugins.use["x"]?.path, "/etc/busbar/x.so");
  const overridden = await load("", { path: "/etc/busbar/busbar.yaml", sets: ["data_dir=data"] });
  assert.equal(overridden.config.data_dir, join(Deno.cwd(), "data"));
});

Deno.test("loadConfig() reads files and says why it cannot", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "busbar.yaml");
    const reason = async () => {
      try {
        await loadConfig({ path, env: {} });
      } catch (error) {
        return error instanceof ConfigError ? error.diagnostics[0]?.message : error;
      }
    };
    assert.equal(await reason(), `Cannot read configuration "${path}": there is no such file`);
    await Deno.writeFile(path, new Uint8Array([0x61, 0xff]));
    assert.equal(await reason(), `Cannot read configuration "${path}": it is not UTF-8 text`);
    await Deno.writeTextFile(path, "\ufeffserver: { port: 5 }\r\n");
    assert.equal((await loadConfig({ path, env: {} })).config.server.port, 5);
    await Deno.truncate(path, 5_000_000);
    assert.match(`${await reason()}`, /it is larger than 4194304 bytes$/);
    await Deno.remove(path);
    await Deno.mkdir(path);
    assert.match(`${await reason()}`, /it is a folder$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ConfigSource.has() tells what the file or an override gives from a default", async () => {
  const { source } = await load("server: { port: 1 }", { sets: ["log.level=debug"] });
  const given = [["server", "port"], ["log", "level"], ["server", "host"], ["plugins"]];
  assert.deepEqual(given.map((path) => source.has(path)), [true, true, false, false]);
});
