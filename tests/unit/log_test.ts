import assert from "node:assert/strict";
import { reset } from "@logtape/logtape";
import { logText, setupLogging } from "../../src/log.ts";

/** What is written while `action` logs. */
async function written(
  format: "auto" | "pretty" | "json",
  action: () => void,
  terminal = false,
): Promise<string> {
  let text = "";
  const stream = {
    writeSync(bytes: Uint8Array): number {
      text += new TextDecoder().decode(bytes.subarray(0, 7));
      return Math.min(bytes.length, 7);
    },
    isTerminal: () => terminal,
  };
  await setupLogging({ level: "info", format, stream });
  try {
    action();
  } finally {
    await reset();
  }
  return text;
}

const speak = () => {
  const properties = { pipeline: "web", span_id: "00ff", fields: { n: 1 } };
  logText(["busbar", "plugin", "p"], "warning", { text: "plain {n}", properties, timestamp: 0 });
  logText(["busbar", "plugin", "p"], "debug", { text: "hidden", properties });
};

Deno.test("a log that is no terminal is JSON, a record a line, with its properties at the top", async () => {
  assert.deepEqual(JSON.parse(await written("auto", speak)), {
    "@timestamp": "1970-01-01T00:00:00.000Z",
    level: "WARN",
    message: "plain {n}",
    logger: "busbar.plugin.p",
    pipeline: "web",
    span_id: "00ff",
    fields: { n: 1 },
  });
});

Deno.test("a log on a terminal is for people, and shows the properties too", async () => {
  const text = await written("auto", speak, true);
  assert.match(text, /plain \{n\}/);
  assert.match(text, /pipeline.*web/);
  assert.equal(text.includes("hidden"), false);
});

Deno.test("a stream that cannot be written stops nobody", async () => {
  const stream = {
    writeSync(): number {
      throw new Deno.errors.BrokenPipe();
    },
    isTerminal: () => false,
  };
  await setupLogging({ level: "info", format: "json", stream });
  speak();
  await reset();
});
