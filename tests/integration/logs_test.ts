import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { fixture, PLUGINS } from "../fixtures/build.ts";
import {
  type BusbarOptions,
  busbarProgram,
  type LogRecord,
  withBusbar,
  writeConfig,
} from "../support/busbar.ts";

async function withFolder<T>(action: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_logs_" });
  try {
    return await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A pipeline of a source that logs from a thread of its own, and ends. */
function talkative(config: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    sources: { talker: { use: "probe/chatty", config } },
    reactions: { gone: { use: "builtin/discard", from: ["talker"] } },
  };
}

/** All log records of a busbar that runs the pipelines until they have completed. */
async function logsOf(
  pipelines: Record<string, unknown>,
  level = "info",
  options: Omit<BusbarOptions, "config"> = {},
): Promise<LogRecord[]> {
  await fixture("probe");
  const config = { log: { level }, plugins: { directories: [PLUGINS] }, pipelines };
  const args = ["--until-done", ...options.args ?? []];
  return await withBusbar({ ...options, config, args }, async (busbar) => {
    const { code, stderr } = await busbar.exited();
    assert.equal(code, 0, stderr);
    for (const line of stderr.trimEnd().split("\n")) {
      assert.match(line, /^(\{.*\}|busbar listening on \S+)$/, "not a terminal: JSON lines");
    }
    return busbar.logs;
  });
}

Deno.test("what a plugin's own thread logs keeps target, span, parent and typed key-values", async () => {
  const logs = await logsOf({ web: talkative({ records: 4 }) });
  const said = logs.filter(({ component }) => component === "talker");
  const ready = logs.find(({ message }) => message === "Cell ready")!;
  assert.equal(said.length, 4, "each comes once");
  for (const [i, record] of said.entries()) {
    const { "@timestamp": at, thread, ...rest } = record;
    assert.ok(Math.abs(Date.parse(`${at}`) - Date.now()) < 3_600_000);
    assert.ok(Number(thread) > 0 && thread !== ready.pid, "the number of its thread");
    assert.deepEqual(rest, {
      level: "INFO",
      message: `Chatty record ${i}`,
      logger: "busbar.plugin.probe",
      cell: "web",
      pipeline: "web",
      plugin: "probe",
      component: "talker",
      target: "probe::chatty::worker",
      span_id: (0x1001 + i).toString(16).padStart(16, "0"),
      parent_span_id: "0000000000001000",
      fields: { text: 'héllo "you"', index: i, even: i % 2 === 0, json: { a: [1, 2.5, null] } },
    });
  }
});

Deno.test("a record below log.level is not written, whoever logs it", async () => {
  const levels = { trace: 1, debug: 2, info: 3, warning: 4, error: 5, fatal: 6 };
  const pipelines = Object.fromEntries(
    Object.entries(levels).map(([name, level]) => [name, talkative({ records: 1, level })]),
  );
  for (const [lowest, number] of Object.entries({ trace: 1, warning: 4, fatal: 6 })) {
    const logs = await logsOf(pipelines, lowest);
    const said = logs.filter(({ component }) => component === "talker");
    const expected = Object.keys(levels).slice(number - 1);
    assert.deepEqual(said.map(({ pipeline }) => pipeline).sort(), expected.toSorted(), lowest);
    for (const { pipeline, level } of said) {
      assert.equal(level, pipeline === "warning" ? "WARN" : `${pipeline}`.toUpperCase());
    }
    const host = logs.filter(({ logger }) => `${logger}`.startsWith("busbar.host"));
    assert.equal(host.some(({ level }) => level === "INFO"), lowest === "trace");
  }
});

Deno.test("records that come faster than they are read are counted, and the others are whole", async () => {
  const records = 20_000;
  const logs = await logsOf({ web: talkative({ records }) });
  const said = logs.filter(({ component }) => component === "talker");
  const lost = logs.reduce((sum, record) => sum + Number(record.lost ?? 0), 0);
  assert.equal(said.length + lost, records);
  assert.ok(said.length > 0);
  for (const { message, fields } of said) {
    assert.equal(message, `Chatty record ${(fields as { index: number }).index}`);
  }
});

Deno.test("on a terminal the log is for people, and shows the same", () =>
  withFolder(async (folder) => {
    await fixture("probe");
    const config = await writeConfig(folder, {
      plugins: { directories: [PLUGINS] },
      pipelines: { web: talkative({ records: 1 }) },
    });
    const { command, args } = busbarProgram();
    const line = [command, ...args, "run", "-c", config, "--until-done"]
      .map((word) => `'${word}'`).join(" ");
    const run = async (env: Record<string, string>) => {
      // What it runs has a terminal for standard output and standard error.
      const { code, stdout } = await new Deno.Command("script", {
        args: ["-qefc", line, "/dev/null"],
        stdin: "null",
        env,
      }).output();
      const text = new TextDecoder().decode(stdout);
      assert.equal(code, 0, text);
      return text;
    };
    const plain = await run({ NO_COLOR: "1" });
    assert.doesNotMatch(plain, /"message"/);
    for (
      const shown of [
        /Chatty record 0/,
        /probe::chatty::worker/,
        /0000000000001001/,
        /talker/,
        /even/,
      ]
    ) {
      assert.match(plain, shown);
    }
    const json = await run({ NO_COLOR: "1", BUSBAR_LOG__FORMAT: "json" });
    assert.match(json, /"message":"Chatty record 0"/);
  }));

const PRINTS = `
#include <stdio.h>
__attribute__((constructor)) static void print_lines(void) {
  printf("first on stdout\\n\\nthird \\xff\\n");
  fflush(stdout);
  fprintf(stderr, "first on stderr\\nlast on stderr");
  fflush(stderr);
}
`;

Deno.test("what a plugin prints is logged line by line, as the cell's", () =>
  withFolder(async (folder) => {
    const source = join(folder, "source");
    const code = new URL("../fixtures/plugins/static/", import.meta.url).pathname;
    await Deno.mkdir(source);
    await Deno.copyFile(join(code, "plugin.json"), join(source, "plugin.json"));
    const text = await Deno.readTextFile(join(code, "static.c"));
    await Deno.writeTextFile(join(source, "static.c"), text + PRINTS);
    await buildPlugin({
      folder: source,
      outDir: join(folder, "plugins"),
      overrides: {
        manifest: { name: "printing" },
        build: {
          language: "c",
          sources: ["static.c"],
          cflags: ["-w"],
          library: "libbusbar_source_printing.so",
        },
      },
    });
    const config = {
      plugins: { directories: [join(folder, "plugins")] },
      pipelines: {
        web: {
          sources: { three: { use: "printing/source" } },
          reactions: {
            lines: { use: "builtin/stdout", from: ["three"], config: { format: "payload" } },
          },
        },
      },
    };
    await withBusbar({ config, args: ["--until-done"] }, async (busbar) => {
      const { code, stdout } = await busbar.exited();
      assert.equal(code, 0);
      assert.equal(stdout, "1\n2\n3\n", "no plugin writes to the host's own standard output");
      const printed = (stream: string) =>
        busbar.logs.filter((record) => record.stream === stream).map((
          { message, logger, cell, pipeline },
        ) => [
          message,
          logger,
          cell,
          pipeline,
        ]);
      const where = ["busbar.cell", "web", "web"];
      assert.deepEqual(printed("stdout"), [
        ["first on stdout", ...where],
        ["", ...where],
        ["third \ufffd", ...where],
      ]);
      assert.deepEqual(printed("stderr"), [
        ["first on stderr", ...where],
        ["last on stderr", ...where],
      ]);
    });
  }));

Deno.test("what plugins measure is shown with their component", async () => {
  await fixture("probe");
  const config = {
    plugins: { directories: [PLUGINS] },
    pipelines: {
      web: {
        cell: "one",
        sources: {
          talker: { use: "probe/chatty", config: { records: 4 } },
          steady: { use: "probe/numbers", config: { count: 1, idle: true } },
        },
        reactions: { file: { use: "probe/collect", from: ["steady"] } },
        checkpoint_interval: "10ms",
      },
    },
  };
  await withBusbar({ config }, async (busbar) => {
    const { components } = await busbar.pipeline(
      "web",
      ({ components }) =>
        components[0].metrics.chatty_progress_ratio === 1 &&
        components[2].metrics.flushes_total >= 1,
    );
    assert.deepEqual(components[0].metrics, {
      chatty_records_total: 4,
      chatty_progress_ratio: 1,
      chatty_index_records: { count: 4, sum: 0 + 1 + 2 + 3 },
    });
    assert.deepEqual(components[1].metrics, {});
  });
});
