import assert from "node:assert/strict";
import { ConfigError, formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { checkConfig } from "../../../src/config/graph_check.ts";
import { brief, catalog, faults, load, pipeline } from "./support.ts";

Deno.test("loadConfig() names line and column of broken YAML", async () => {
  assert.deepEqual(brief(await faults("log:\n\tlevel: info\n")), ["2:1 Cannot indent with a tab"]);
  assert.match(brief(await faults("log: [1, 2\n"))[0]!, /^2:1 Cannot read YAML: Flow sequence/);
});

Deno.test("loadConfig() reports a duplicate key with the line of the first, and goes on", async () => {
  assert.deepEqual(brief(await faults("server: { port: 1 }\nlog: {}\nserver: { prot: 2 }\n")), [
    '3:1 Duplicate key "server": first given on line 1',
  ]);
  assert.deepEqual(brief(await faults("server:\n  port: 1\n  port: 2\n  prot: 3\n")), [
    '3:3 Duplicate key "port" in server: first given on line 2',
    '4:3 Unknown key "prot" in server',
  ]);
});

Deno.test("loadConfig() refuses several documents, tags, merge keys and keys that are no names", async () => {
  assert.match(brief(await faults("log: {}\n---\nlog: {}\n"))[0]!, /Cannot read a second document/);
  assert.match(brief(await faults("log: !x {}\n"))[0]!, /^1:6 Cannot use a YAML tag/);
  assert.match(
    brief(await faults("log:\n  <<: {}\n"))[0]!,
    /^2:3 Cannot use merge key "<<" in log/,
  );
  assert.match(brief(await faults("__proto__: 1\n"))[0]!, /^1:1 Cannot use key "__proto__"/);
  assert.match(brief(await faults("? [a]\n: 1\n"))[0]!, /^1:3 Cannot read key/);
});

Deno.test("loadConfig() refuses a file that is no group of settings", async () => {
  assert.match(
    brief(await faults("- 1\n"))[0]!,
    /^1:1 .*expected "key: value" settings, found a list/,
  );
  assert.match(brief(await faults("hello\n"))[0]!, /found a single value/);
});

Deno.test("loadConfig() refuses numbers that are not exact", async () => {
  assert.match(brief(await faults("cells: { limits: { cpu: .inf } }"))[0]!, /^1:25 .*finite/);
  assert.match(
    brief(await faults("cells: { limits: { cpu: 99999999999999999999 } }"))[0]!,
    /2\^53/,
  );
});

Deno.test("loadConfig() follows aliases and points into what they name", async () => {
  const { config } = await load(
    "cells: { environment: &e [A, B] }\npipelines:\n" + pipeline("environment: *e"),
  );
  assert.deepEqual(config.pipelines["web"]?.environment, ["A", "B"]);
  assert.match(brief(await faults("server: *none\n"))[0]!, /^1:9 Unknown alias "\*none" in server/);
});

Deno.test("loadConfig() stops an alias bomb, an endless alias and deep nesting", async () => {
  const bomb = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 12; i++) {
    bomb.push(`b${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]`);
  }
  assert.match(brief(await faults(bomb.join("\n")))[0]!, /more than 100000 values/);
  assert.match(brief(await faults("data_dir: &a [*a]"))[0]!, /^1:\d+ .*nested more than 64 deep/);
  assert.match(brief(await faults("data_dir: " + "[".repeat(50_000)))[0]!, /nested too deeply/);
});

Deno.test("loadConfig() reads JSON and an empty file", async () => {
  const { config } = await load(JSON.stringify({ server: { port: 1 } }));
  assert.equal(config.server.port, 1);
  assert.deepEqual((await load("# nothing\n")).config.pipelines, {});
});

Deno.test("loadConfig() takes an empty group for one without settings", async () => {
  const { config } = await load("server:\nplugins:\n  use:\n    x:\n");
  assert.deepEqual([config.server.port, config.plugins.use["x"]], [7700, { enabled: true }]);
  assert.deepEqual(brief(await faults("server: { port: }\n")), [
    "1:11 Expected a number for server.port, found nothing",
  ]);
});

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return Math.floor((seed / 0x80000000) * below);
  };
}

Deno.test("loadConfig() and checkConfig() throw nothing but ConfigError, whatever the text", async () => {
  const base =
    "data_dir: /x\nserver: { host: 127.0.0.1, port: ${PORT:-1} }\nplugins:\n  use: {}\n" +
    "pipelines:\n" + pipeline("batch: { max_delay: 5ms }\nenvironment: &a [A]");
  const pieces = [
    ...":{}[],&*!|>'\"%@`#-?\n\t \\\0\x1b\u2028\ue000\ud800",
    "${",
    "$${",
    "${X:-",
    "<<: ",
    "---\n",
    "...\n",
    "*a",
    "&a ",
    "__proto__: ",
    "constructor: ",
    "toString: {}",
    "!!binary ",
    "null",
    "1e999",
    "-0",
    "? ",
  ];
  for (let seed = 1; seed <= 1500; seed++) {
    const next = random(seed);
    let text = seed % 5 === 0 ? "" : base;
    for (let i = next(12); i >= 0; i--) {
      const at = next(text.length + 1);
      text = text.slice(0, at) + pieces[next(pieces.length)] + text.slice(at + next(4));
    }
    try {
      const loaded = await load(text, { env: { A: "${B}" } });
      await checkConfig(loaded, catalog);
    } catch (error) {
      if (
        error instanceof ConfigError &&
        error.diagnostics.every((found) => formatDiagnostic(found) !== "")
      ) continue;
      throw new Error(`seed ${seed}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
});
