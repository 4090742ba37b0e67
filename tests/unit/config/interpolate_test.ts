import assert from "node:assert/strict";
import { join } from "node:path";
import { formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { brief, faults, load } from "./support.ts";

const data_dir = async (text: string, env: Record<string, string> = {}) =>
  (await load(`data_dir: ${text}`, { env })).config.data_dir;

Deno.test("interpolation puts in variables and defaults, anywhere in a scalar", async () => {
  assert.equal(await data_dir("/x/${A}/${B:-b}/${C:-c}", { A: "a", C: "" }), "/x/a/b/c");
  assert.equal(await data_dir('"/x/${A}"', { A: "a" }), "/x/a");
  assert.equal(await data_dir("'/x/${A}'", { A: "a" }), "/x/a");
  assert.equal(await data_dir("${A:-/x y: z # no comment}"), "/x y: z # no comment");
});

Deno.test("interpolation leaves $${ and $ alone", async () => {
  assert.equal(await data_dir("/x/$${A}/$B"), "/x/${A}/$B");
  assert.equal(await data_dir("/x/$$${A}"), "/x/$${A}");
});

Deno.test("interpolation works without quotes inside braces", async () => {
  const { config } = await load("server: { host: ${H:-localhost}, port: ${P} }", {
    env: { P: "8080" },
  });
  assert.deepEqual([config.server.host, config.server.port], ["localhost", 8080]);
});

Deno.test("a value put in is a scalar, never YAML and never looked at again", async () => {
  assert.equal(await data_dir("${A}", { A: "/x: {y: 1}\n- ${B}" }), "/x: {y: 1}\n- ${B}");
  assert.deepEqual(brief(await faults("server: ${A}", { env: { A: "{ port: 1 }" } })), [
    "1:9 Expected a group of settings for server, found text",
  ]);
});

Deno.test("a value put in may be a number, a boolean, a duration or a size", async () => {
  const { config } = await load(
    "server: { enabled: ${E}, port: ${P} }\n" +
      "cells: { limits: { memory: ${M}, cpu: ${C} }, shutdown_timeout: ${S} }",
    { env: { E: "false", P: "80", M: "128MiB", C: "1.5", S: "5s" } },
  );
  assert.deepEqual(config.server, { enabled: false, host: "127.0.0.1", port: 80, insecure: false });
  assert.deepEqual(config.cells.limits, { memory: 134217728, descriptors: 1024, cpu: 1.5 });
  assert.equal(config.cells.shutdown_timeout, 5000);
});

Deno.test("a quoted number of the file itself stays text", async () => {
  assert.deepEqual(brief(await faults('server: { port: "80" }')), [
    "1:17 Expected a number for server.port, found text",
  ]);
});

Deno.test("a variable that is not set is an error at its line and column, and the only one", async () => {
  assert.deepEqual(
    brief(await faults("log: {}\nserver:\n  port: ${PORT}\n  host: ${}\n  insecure: ${A\n")),
    [
      '3:9 Environment variable "PORT" is not set and has no default, as in ${PORT:-x}',
      '4:9 Cannot read "${}": expected ${NAME}, ${NAME:-default} or ${file:/path}; $${ is a plain ${',
      '5:13 Cannot read "${": no "}" closes it; $${ is a plain ${',
    ],
  );
});

Deno.test("an error about a value put in does not show the value", async () => {
  const found = await faults("server: { port: ${P} }", { env: { P: "hunter2" } });
  assert.equal(found.length, 1);
  assert.ok(!formatDiagnostic(found[0]!).includes("hunter2"));
  assert.ok(formatDiagnostic(found[0]!).includes("${P}"));
});

Deno.test("${file:…} reads a file beside the configuration without its last newline", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "secret"), "/se: cret\n\n", { mode: 0o600 });
    const path = join(folder, "busbar.yaml");
    const { config, warnings } = await load("data_dir: ${file:secret}", { path });
    assert.equal(config.data_dir, join(folder, "/se: cret").replace(folder, ""));
    assert.deepEqual(warnings, []);
    await Deno.chmod(join(folder, "secret"), 0o644);
    const open = await load(`data_dir: "\${file:${folder}/secret}"`, { path });
    assert.equal(open.config.data_dir, "/se: cret");
    assert.match(brief(open.warnings)[0]!, /^1:11 File ".*secret" can be read by every user/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("${file:…} refuses folders, devices, missing and large files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(join(folder, "large"), new Uint8Array(70_000));
    await Deno.writeFile(join(folder, "binary"), new Uint8Array([0xff, 0xfe]));
    const reason = async (file: string) =>
      (await faults("data_dir: ${file:" + file + "}"))[0]?.message;
    assert.match(await reason(folder) ?? "", /^Cannot read file ".*": it is a folder$/);
    assert.match(await reason("/dev/null") ?? "", /it is not a regular file$/);
    assert.match(await reason(join(folder, "none")) ?? "", /there is no such file$/);
    assert.match(await reason(join(folder, "large")) ?? "", /it is larger than 65536 bytes$/);
    assert.match(await reason(join(folder, "binary")) ?? "", /it is not UTF-8 text$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
