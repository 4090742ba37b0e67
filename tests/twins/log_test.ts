import assert from "node:assert/strict";
import { join } from "node:path";
import { withBusbar } from "../support/busbar.ts";
import { PROJECT } from "../support/c_program.ts";
import { withFolder } from "../integration/pipeline/support.ts";

/** Lines of all kinds: with a key or without, of many lengths, with characters of one byte to four, and such as are no text. */
const LINES = [
  "",
  '{"k":"a key"}',
  `{"k":"${"ä".repeat(200)}"}`,
  ...["a", "ä", "€", "𝄞"].map((character) => `{"k":"${character}"} ${character.repeat(600)}`),
  ...["a", "ä", "€", "𝄞"].map((character) => character.repeat(11)),
  ...["\xff", "plain\xff", `\x00\x01${"\x80".repeat(70)}`, "\xed\xa0\x80", "\xf4\x90\x80\x80"]
    .map((bytes) => Uint8Array.from(bytes, (character) => character.charCodeAt(0))),
];
const LIMITS = [0, 1, 5, "40B", "1KiB"];

Deno.test("builtin/log and log/log write the same records of the same events", () =>
  withFolder(async (folder) => {
    const input = join(folder, "in.log");
    const bytes = LINES.map((line) => new Blob([line, "\n"]));
    await Deno.writeFile(input, await new Blob(bytes).bytes());
    const reactions = LIMITS.flatMap((max_payload, i) =>
      ["builtin", "log"].map((plugin) => [
        `${plugin}-${i}`,
        { use: `${plugin}/log`, from: ["shaped"], config: { level: "warning", max_payload } },
      ])
    );
    const config = {
      log: { level: "warning", format: "json" },
      plugins: { directories: [join(PROJECT, "dist/plugins")] },
      pipelines: {
        web: {
          sources: { in: { use: "builtin/file", config: { paths: [input], once: true } } },
          processors: {
            shaped: {
              use: "builtin/map",
              from: ["in"],
              config: {
                key: "payload.k",
                timestamp: 'timestamp("2026-01-02T03:04:05.006Z")',
                operation: 'size % 2 == 0 ? "update" : "delete"',
                on_error: "mark",
              },
            },
          },
          reactions: Object.fromEntries(reactions),
        },
      },
    };
    await withBusbar({ config, args: ["--until-done"] }, async (busbar) => {
      assert.equal((await busbar.exited()).code, 0);
      const events = busbar.logs.filter(({ message }) => message === "Event");
      assert.equal(events.length, LINES.length * reactions.length);
      const of = (component: string) =>
        events.filter((event) => event.component === component)
          .map(({ level, fields }) => ({ level, ...fields as Record<string, unknown> }));
      for (const i of LIMITS.keys()) assert.deepEqual(of(`log-${i}`), of(`builtin-${i}`));
      const seen = new Set(events.flatMap(({ fields }) => Object.keys(fields as object)));
      for (const field of ["key", "marked", "payload_base64", "payload_bytes", "timestamp"]) {
        assert.ok(seen.has(field), field);
      }
    });
  }));
