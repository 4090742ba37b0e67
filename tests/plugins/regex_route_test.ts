import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Busbar, runBusbar, waitFor, withBusbar, writeConfig } from "../support/busbar.ts";
import { PROJECT, withFolder } from "../support/c_program.ts";
import { validatorOf } from "../../src/config/component_schema.ts";
import { parseManifest } from "../../src/plugin/manifest.ts";

const PLUGINS = { directories: [join(PROJECT, "dist/plugins")] };
const LINES = [
  "GET /health 200",
  "GET /api/orders 200",
  "get /API/users 500",
  "POST /login 401",
  "",
  "nothing special",
];

Deno.test("regex-route sends each line to the output of the first rule it matches", () =>
  withFolder(async (folder) => {
    const rules = [
      { pattern: "/health", to: "drop" },
      { pattern: " 5\\d\\d$", to: "route-1" },
      { pattern: "/api/", case_insensitive: true, to: "route-2" },
      { pattern: ".", invert: true, to: "route-3" },
    ];
    await runOnce(folder, { lines: LINES, config: { rules }, outputs: 4 });
    assert.deepEqual(await archive(folder, 0), ["POST /login 401", "nothing special"]);
    assert.deepEqual(await archive(folder, 1), ["get /API/users 500"]);
    assert.deepEqual(await archive(folder, 2), ["GET /api/orders 200"]);
    assert.deepEqual(await archive(folder, 3), [""]);
  }));

Deno.test("regex-route reads values in JSON, and passes marked what is none", () =>
  withFolder(async (folder) => {
    const config = {
      rules: [{ field: "/response/status", pattern: "^5", to: "route-1" }],
      unmatched: "drop",
    };
    const lines = ['{"response":{"status":503}}', '{"response":{"status":200}}', "no JSON"];
    const { stdout } = await runOnce(folder, { lines, config, outputs: 2, print: true });
    assert.deepEqual(await archive(folder, 0), ["no JSON"]);
    assert.deepEqual(await archive(folder, 1), [lines[0]]);
    const printed = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(printed.map(({ marked, sequence }) => [marked, sequence]), [[true, 3]]);
  }));

Deno.test("regex-route points into a pattern that is wrong, and names its rule", () =>
  withFolder(async (folder) => {
    const rules = [{ pattern: "fine", to: "drop" }, { pattern: "a(b", to: "keep" }];
    const file = await writeOnce(folder, { lines: LINES, config: { rules }, outputs: 1 });
    const args = ["run", "-c", file, "--until-done", "--set", "cells.restart.max_restarts=0"];
    const { code, stderr } = await runBusbar(args);
    assert.equal(code, 1);
    const text = stderr.replaceAll("\\n", "\n");
    assert.ok(text.includes('Cannot use rules[1].pattern \\"a(b\\": regex parse error:'), stderr);
    assert.ok(text.includes("    a(b\n     ^"), stderr);
  }));

Deno.test("regex-route's settings are checked before anything runs", () =>
  withFolder(async (folder) => {
    const rules = [{ pattern: "a", to: "route-9" }, { patern: "a", to: "drop" }];
    const file = await writeOnce(folder, { lines: LINES, config: { rules }, outputs: 1 });
    const { code, stdout, stderr } = await runBusbar(["check", "-c", file]);
    assert.notEqual(code, 0);
    assert.ok(/route-8/.test(stdout + stderr), stdout + stderr);
    assert.ok(/did you mean "pattern"/.test(stdout + stderr), stdout + stderr);
  }));

Deno.test("regex-route loses and repeats nothing when its cell is killed", () =>
  withFolder(async (folder) => {
    const count = 60_000;
    const config = {
      rules: [
        { field: "/value", pattern: "[05]$", to: "route-1" },
        { field: "key", pattern: "7$", to: "route-2" },
      ],
    };
    const pipeline = pipelineOf(folder, { config, outputs: 3 });
    const from = { use: "builtin/generate", config: { count, json: true, rate: "60000/s" } };
    const pipelines = { p: { ...pipeline, sources: { in: from } } };
    await withBusbar({ config: { plugins: PLUGINS, pipelines } }, async (busbar) => {
      await killCellAfter(busbar, 10_000);
      await busbar.pipeline("p", ({ status }) => status === "completed");
    });
    const numbers: number[] = [];
    for (let output = 0; output < 3; output++) {
      const events = (await archive(folder, output)).map((line) => JSON.parse(line));
      const own = events.map(({ sequence }) => sequence as number);
      assert.deepEqual(own, own.toSorted((a, b) => a - b), `output ${output} is in order`);
      for (const { sequence, value } of events) {
        const expected = value % 5 === 0 ? 1 : sequence % 10 === 7 ? 2 : 0;
        assert.equal(output, expected, `event ${sequence} with value ${value}`);
      }
      numbers.push(...own);
    }
    numbers.sort((a, b) => a - b);
    assert.deepEqual(numbers, Array.from({ length: count }, (_, index) => index + 1));
  }));

Deno.test("regex-route's README names every setting, and only what is required has no default", async () => {
  const file = join(PROJECT, "dist/plugins/regex-route/manifest.json");
  const { components: [component] } = parseManifest(await Deno.readFile(file), { file });
  const validate = await validatorOf(component!.config_schema!);
  assert.deepEqual(validate({ rules: [{ pattern: "a", to: "drop" }] }), []);
  assert.equal(validate({}).length, 1);
  const readme = await Deno.readTextFile(join(PROJECT, "plugins/regex_route/README.md"));
  for (const name of settingsOf(component!.config_schema!)) {
    assert.ok(readme.includes(`\`${name}\``), name);
  }
});

interface Setup {
  /** Of the file that the source reads. */
  lines?: string[];
  config: Record<string, unknown>;
  /** How many outputs are archived, from `kept` on. */
  outputs: number;
  /** Whether `kept` is printed as well. */
  print?: boolean;
}

function pipelineOf(folder: string, { config, outputs, print = false }: Setup) {
  const archives = Array.from({ length: outputs }, (_, output) => [`archive-${output}`, {
    use: "gzip-archive/archive",
    from: output === 0 ? "routed" : `routed.route-${output}`,
    config: { directory: join(folder, `output-${output}`) },
  }]);
  return {
    processors: { routed: { use: "regex-route/route", from: "in", config } },
    reactions: {
      ...Object.fromEntries(archives),
      ...(print ? { print: { use: "builtin/stdout", from: "routed.kept" } } : {}),
    },
  };
}

async function writeOnce(folder: string, setup: Setup): Promise<string> {
  const file = join(folder, "lines.txt");
  await Deno.writeTextFile(file, setup.lines!.map((line) => `${line}\n`).join(""));
  const source = { use: "file-tail/tail", config: { paths: [file], once: true } };
  const pipelines = { p: { sources: { in: source }, ...pipelineOf(folder, setup) } };
  return await writeConfig(folder, { plugins: PLUGINS, pipelines });
}

async function runOnce(folder: string, setup: Setup) {
  const file = await writeOnce(folder, setup);
  const output = await runBusbar(["run", "-c", file, "--until-done"]);
  assert.equal(output.code, 0, output.stderr);
  return output;
}

/** Kills the cell of pipeline p once it has handed on more than `events`, and waits until there is another. */
async function killCellAfter(busbar: Busbar, events: number): Promise<void> {
  const { cell } = await busbar.pipeline(
    "p",
    ({ components }) =>
      components.some(({ eventsOut }: { eventsOut: number }) => eventsOut > events),
  );
  Deno.kill(cell.pid, "SIGKILL");
  await waitFor(async () => {
    const { restarts } = await busbar.get("/api/v1/pipelines/p");
    return restarts > 0;
  }, { what: "a new cell", busbar });
}

/** The lines that one output's archive holds, oldest first. */
async function archive(folder: string, output: number): Promise<string[]> {
  const directory = join(folder, `output-${output}`);
  const names: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    if (/\.gz(\.part)?$/.test(name)) names.push(name);
  }
  let text = "";
  for (const name of names.sort()) {
    text += gunzipSync(await Deno.readFile(join(directory, name))).toString();
  }
  return text.split("\n").slice(0, -1);
}

/** The names of all properties in a schema, also of objects within lists. */
function settingsOf(schema: Record<string, unknown>): string[] {
  const { properties = {}, items } = schema as Record<string, Record<string, unknown>>;
  const own = Object.entries(properties).flatMap(([name, property]) => [
    name,
    ...settingsOf(property as Record<string, unknown>),
  ]);
  return items === undefined ? own : [...own, ...settingsOf(items)];
}
