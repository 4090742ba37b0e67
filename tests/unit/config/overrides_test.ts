import assert from "node:assert/strict";
import { brief, faults, load, pipeline } from "./support.ts";

const text = `server: { port: 1 }
plugins: { use: { http-push: { config: { timeout: 5s } } } }
pipelines:
${pipeline("", "my-web")}`;

Deno.test("overrides: file < environment < --set < flag", async () => {
  const env = { BUSBAR_SERVER__PORT: "2" };
  const sets = ["server.port=3"];
  const overrides = [{ flag: "--port", path: "server.port", value: 4 }];
  const port = async (options: Parameters<typeof load>[1]) =>
    (await load(text, options)).config.server.port;
  assert.equal(await port({}), 1);
  assert.equal(await port({ env }), 2);
  assert.equal(await port({ env, sets }), 3);
  assert.equal(await port({ env, sets: [...sets, "server.port=5"] }), 5);
  assert.equal(await port({ env, sets, overrides }), 4);
});

Deno.test("environment overrides match keys without case, and ids with - as - or _", async () => {
  const { config } = await load(text, {
    env: {
      BUSBAR_DATA_DIR: "/x",
      busbar_ignored: "1",
      BUSBAR_PIPELINES__MY_WEB__PARTITIONS: "2",
      "BUSBAR_pipelines__my-web__Batch__MAX_EVENTS": "7",
      BUSBAR_PIPELINES__MY_WEB__SOURCES__IN__CONFIG__RATE: "100/s",
      BUSBAR_PLUGINS__USE__HTTP_PUSH__ENABLED: "false",
      BUSBAR_PLUGINS__USE__HTTP_PUSH__CONFIG__TIMEOUT: "9s",
      BUSBAR_PLUGINS__USE__FILE_TAIL__ENABLED: "false",
      BUSBAR_CELLS__LIMITS__MEMORY: "128MiB",
      BUSBAR_URL: "http://x",
      BUSBAR_TOKEN: "t",
    },
  });
  const web = config.pipelines["my-web"]!;
  assert.equal(config.data_dir, "/x");
  assert.deepEqual([web.partitions, web.batch.max_events, web.batch.in_flight], [2, 7, 4]);
  assert.deepEqual(web.sources["in"]?.config, { rate: "100/s" });
  assert.deepEqual(config.plugins.use["http-push"], { enabled: false, config: { timeout: "9s" } });
  assert.deepEqual(config.plugins.use["file-tail"], { enabled: false });
  assert.equal(config.cells.limits.memory, 2 ** 27);
});

Deno.test("an override is text: it is not YAML and its ${…} is not replaced", async () => {
  const { config } = await load(text, { sets: ["data_dir=/x: [${A}]=b"] });
  assert.equal(config.data_dir, "/x: [${A}]=b");
});

Deno.test("a faulty override is named by its variable or flag", async () => {
  const found = await faults(text, {
    env: {
      BUSBAR_SERVER__PROT: "1",
      BUSBAR_SERVER: "1",
      BUSBAR_LEVEL: "1",
      BUSBAR_PIPELINES__MY_WEB__PARTITIONS: "x",
      BUSBAR_PIPELINES__WEB__PARTITIONS: "1",
      BUSBAR_PIPELINES__MY_WEB__SOURCES__IN__CONFIG: "1",
    },
    sets: [
      "server.port=70000",
      "log",
      "plugins.directories=/x",
      "server.port.x=1",
      "Server.port=1",
      "=1",
    ],
    overrides: [{ flag: "--log-level", path: "log.level", value: "loud" }],
  });
  assert.deepEqual(
    new Set(brief(found)),
    new Set([
      'BUSBAR_LEVEL: Cannot override LEVEL: unknown key "LEVEL"',
      'BUSBAR_PIPELINES__WEB__PARTITIONS: Cannot override pipelines.WEB: unknown key "WEB" in pipelines',
      "BUSBAR_PIPELINES__MY_WEB__SOURCES__IN__CONFIG: Cannot override pipelines.my-web.sources.in.config: it is a group of settings, only single values can be set",
      "BUSBAR_SERVER: Cannot override server: it is a group of settings, only single values can be set",
      'BUSBAR_SERVER__PROT: Cannot override server.PROT: unknown key "PROT" in server',
      "--set log: Cannot read override: expected path=value",
      "--set plugins.directories: Cannot override plugins.directories: it is a list, only single values can be set",
      "--set server.port.x: Cannot override inside server.port: it holds a single value or a list",
      '--set Server.port: Cannot override Server: unknown key "Server"',
      '--set : Cannot override : unknown key ""',
      "--set server.port: Expected at most 65535 for server.port",
      "BUSBAR_PIPELINES__MY_WEB__PARTITIONS: Expected a number for pipelines.my-web.partitions, found text",
      '--log-level: Expected one of "trace", "debug", "info", "warning", "error", "fatal" for log.level',
    ]),
  );
  const prot = found.find(({ file }) => file === "BUSBAR_SERVER__PROT");
  assert.equal(prot?.suggestion, 'did you mean "port"?');
});

Deno.test("variables that Kubernetes sets are explained", async () => {
  const [found] = await faults("", { env: { BUSBAR_PORT: "tcp://10.0.0.1:7700" } });
  assert.match(found?.suggestion ?? "", /enableServiceLinks: false/);
});
