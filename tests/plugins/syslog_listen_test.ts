/** syslog-listen in busbar, with what util-linux' logger sends. Its own tests in Go are run by tests/sdk/go_test.ts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { parseManifest } from "../../src/plugin/manifest.ts";
import { Busbar, waitFor, withBusbar } from "../support/busbar.ts";
import { PROJECT, runProgram, withFolder } from "../support/c_program.ts";

const FOLDER = join(PROJECT, "plugins/syslog_listen");

/** An event as `builtin/stdout` prints it. */
interface Printed {
  // deno-lint-ignore no-explicit-any
  payload: any;
  sequence: number;
  timestamp: string;
  marked?: boolean;
}

/** Runs busbar with the source, built into `plugins`, and calls `action` with the addresses that it listens at. */
async function withListener(
  plugins: string,
  config: Record<string, unknown>,
  action: (busbar: Busbar, at: { udp: Address; tcp: Address }) => Promise<void>,
): Promise<void> {
  const addresses = { udp: ["127.0.0.1:0"], tcp: ["127.0.0.1:0"] };
  await withBusbar({
    args: ["--json"],
    config: {
      plugins: { directories: [plugins] },
      pipelines: {
        main: {
          sources: { in: { use: "syslog-listen/listen", config: { ...addresses, ...config } } },
          reactions: { out: { use: "builtin/stdout", from: "in" } },
        },
      },
    },
  }, async (busbar) => {
    const at = async (transport: string) => {
      const { fields } = await busbar.log((record) =>
        record.message === "listening" &&
        (record.fields as Record<string, string>).transport === transport
      );
      const [hostname, port] = (fields as Record<string, string>).address!.split(":");
      return { hostname: hostname!, port: Number(port) };
    };
    await action(busbar, { udp: await at("udp"), tcp: await at("tcp") });
  });
}

interface Address {
  hostname: string;
  port: number;
}

function printed(busbar: Busbar): Printed[] {
  const lines = busbar.stdout.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Printed);
}

async function receive(busbar: Busbar, count: number): Promise<Printed[]> {
  const complete = () => busbar.stdout.split("\n").length > count;
  await waitFor(complete, { what: `${count} events`, busbar });
  return printed(busbar);
}

async function logger(port: number, text: string, args: string[]): Promise<void> {
  const { success, stderr } = await runProgram("logger", [
    ...["--server", "127.0.0.1", "--port", String(port), "--tag", "tester", "--id=77"],
    ...[...args, "--", text],
  ]);
  assert.ok(success, stderr);
}

async function sendAll(address: Address, text: string): Promise<void> {
  using connection = await Deno.connect(address);
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function takesWhatLoggerSends(plugins: string): Promise<void> {
  await withListener(plugins, {}, async (busbar, at) => {
    const transports = [
      ["--udp"],
      ["--tcp"],
      ["--tcp", "--octet-count"],
    ];
    const sent: string[] = [];
    for (const transport of transports) {
      for (const format of ["--rfc5424", "--rfc3164"]) {
        for (const priority of ["user.notice", "local7.err"]) {
          const text = `${transport.join("")} ${format} ${priority} grün "quoted" \\`;
          const port = transport.includes("--udp") ? at.udp.port : at.tcp.port;
          await logger(port, text, [...transport, format, "--priority", priority]);
          sent.push(text);
        }
      }
    }
    const events = await receive(busbar, sent.length);
    const payloads = events.map(({ payload }) => payload);
    assert.deepEqual(payloads.map(({ message }) => message).sort(), sent.sort());
    for (const { payload, timestamp } of events) {
      const { facility, severity, app, procid, message } = payload;
      assert.deepEqual(
        [facility, severity],
        message.includes("user.notice") ? [1, 5] : [23, 3],
        message,
      );
      assert.deepEqual([app, procid], ["tester", "77"], message);
      assert.equal(message.includes("--rfc5424"), payload.structured_data !== undefined, message);
      const age = Date.now() - Date.parse(timestamp);
      assert.ok(Math.abs(age) < 600_000, `${message}: ${timestamp}`);
    }
    assert.deepEqual(events.map(({ sequence }) => sequence), sent.map((_, index) => index + 1));
  });
}

async function passesOnGarbage(plugins: string): Promise<void> {
  await withListener(plugins, {}, async (busbar, at) => {
    await sendAll(
      at.tcp,
      "no syslog at all\n<13>1 - - - - - - good\n<999>Jan  1 00:00:00 h t: m\n",
    );
    const [garbage, good, priority] = await receive(busbar, 3);
    assert.deepEqual([garbage!.payload, garbage!.marked], ["no syslog at all", true]);
    assert.deepEqual([good!.payload.message, good!.marked], ["good", undefined]);
    assert.deepEqual([priority!.payload, priority!.marked], ["<999>Jan  1 00:00:00 h t: m", true]);
  });
}

async function losesNothingOfAFlood(plugins: string): Promise<void> {
  await withListener(plugins, { queue: "256KiB" }, async (busbar, at) => {
    const count = 8000;
    const connections = ["a", "b", "c", "d"].map((name) => {
      const line = (i: number) => `<13>1 - host ${name} ${i} - - ${"x".repeat(i % 100)}`;
      const lines = Array.from({ length: count / 4 }, (_, i) => line(i));
      return sendAll(at.tcp, lines.join("\n") + "\n");
    });
    await Promise.all(connections);
    const events = await receive(busbar, count);
    const next: Record<string, number> = {};
    for (const { payload: { app, procid, message } } of events) {
      assert.equal(Number(procid), next[app] ?? 0, app);
      assert.equal(message.length, Number(procid) % 100);
      next[app] = Number(procid) + 1;
    }
    assert.deepEqual(next, { a: count / 4, b: count / 4, c: count / 4, d: count / 4 });
  });
}

async function checkManifest(manifestPath: string): Promise<void> {
  const manifest = parseManifest(await Deno.readFile(manifestPath), { file: manifestPath });
  const [component] = manifest.components;
  assert.deepEqual([component?.kind, component?.name, component?.replayable], [
    "source",
    "listen",
    false,
  ]);
  const validate = new Ajv2020({ useDefaults: true, strict: true, strictRequired: false })
    .compile(component!.config_schema!);
  const config = { udp: ["[::]:514"] };
  assert.ok(validate(config));
  assert.deepEqual(config, {
    udp: ["[::]:514"],
    format: "auto",
    framing: "auto",
    output: "parsed",
    max_message: "64KiB",
    max_connections: 256,
    idle_timeout: "5m",
    queue: "4MiB",
    receive_buffer: 0,
    time_zone: "local",
    allow: [],
    attributes: false,
  });
  for (
    const wrong of [{}, { udp: [] }, { tcp: ["localhost:514"] }, { ...config, format: "xml" }]
  ) {
    assert.ok(!validate(wrong), JSON.stringify(wrong));
  }
}

Deno.test("syslog-listen takes syslog messages", async (t) => {
  await withFolder(async (plugins) => {
    const { manifestPath } = await buildPlugin({ folder: FOLDER, outDir: plugins });
    await t.step("from logger, in every format and framing", () => takesWhatLoggerSends(plugins));
    await t.step("and passes on what it does not understand", () => passesOnGarbage(plugins));
    await t.step("and loses nothing of a flood over TCP", () => losesNothingOfAFlood(plugins));
    await t.step("as its manifest says", () => checkManifest(manifestPath));
  });
});
