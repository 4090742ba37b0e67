import assert from "node:assert/strict";
import type { Catalog } from "../../../src/config/catalog.ts";
import { formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { checkConfig } from "../../../src/config/graph_check.ts";
import { catalogOf } from "../../../src/host/plan.ts";
import { load } from "./support.ts";

const catalog: Catalog = catalogOf({ plugins: [] });

/** What is wrong with settings. */
async function faults(text: string): Promise<string[]> {
  const diagnostics = await checkConfig(await load(text), catalog);
  return diagnostics.filter(({ message }) => message.includes("config"))
    .map((one) => formatDiagnostic(one));
}

/** A pipeline with a component whose settings begin in line 7. */
function configuration(kind: string, use: string, config: string): string {
  const settings = config.split("\n").map((line) => `          ${line}`).join("\n");
  return `pipelines:
  web:
    ${kind}s:
      it:
        use: ${use}
        config:
${settings}${kind === "source" ? "" : "\n        from: ("}
${kind === "source" ? "" : "    sources: { in: { use: builtin/generate } }"}
${kind === "reaction" ? "" : "    reactions: { out: { use: builtin/discard, from: it } }"}
`;
}

const CASES: [kind: string, use: string, config: string, expected: string][] = [
  [
    "source",
    "builtin/cron",
    'schedule: "61 * * * *"',
    '7:21: error: Cannot use schedule "61 * * * *" in UTC: Invalid value for minute: 61 (pipelines.web.sources.it.config.schedule)',
  ],
  [
    "source",
    "builtin/cron",
    'schedule:\n  - "0 0 * * *"\n  - daily',
    '9:15: error: Cannot use schedule "daily" in UTC: ',
  ],
  [
    "source",
    "builtin/cron",
    'schedule: "0 0 * * *"\ntimezone: Europe/Berlim',
    "8:21: error: Expected a time zone such as UTC or Europe/Berlin for pipelines.web.sources.it.config.timezone",
  ],
  [
    "source",
    "builtin/generate",
    "rate: 0/s",
    '7:17: error: Cannot generate events at rate "0/s": it is 0 (pipelines.web.sources.it.config.rate)',
  ],
  [
    "source",
    "builtin/generate",
    "payload_size: 65MiB",
    "7:25: error: Cannot generate payloads of 68157440 bytes: payload_size is at most 67108864 (",
  ],
  ["source", "builtin/file", "paths: [/x]\nmax_line: 1GiB", "8:21: error: Cannot cut lines to"],
  [
    "source",
    "builtin/stdin",
    "format: raw\nchunk_size: 1GiB",
    "8:23: error: Cannot cut events of 1073741824 bytes",
  ],
  [
    "source",
    "builtin/http",
    "key_header: x-key\nkey_pointer: /id",
    "8:24: error: Cannot take keys from key_header and key_pointer: name one of them (",
  ],
  [
    "source",
    "builtin/http",
    "key_pointer: id",
    "7:24: error: Expected a JSON pointer such as /user/id for pipelines.web.sources.it.config.key_pointer",
  ],
  [
    "processor",
    "builtin/window",
    "size: 1m\nslide: 2m",
    "8:18: error: Cannot slide windows by 2m: events would lie between windows of 1m (",
  ],
  [
    "processor",
    "builtin/window",
    "size: 1d\nslide: 1ms",
    "8:18: error: Cannot slide windows of 1d by 1ms: each event would lie in 86400000 of them, at most 1000 are possible",
  ],
  ["processor", "builtin/window", "size: 0s", "7:17: error: Cannot use size: 0s: at least 1ms ("],
  [
    "processor",
    "builtin/sample",
    "probability: 0.5\nevery: 2",
    '8:18: error: Cannot sample by "every" and by "probability": leave one of them out (',
  ],
  [
    "processor",
    "builtin/parse",
    'format: regex\npattern: "(?<a>x"',
    "8:20: error: Expected a regular expression of JavaScript with named groups",
  ],
  [
    "reaction",
    "builtin/log",
    "max_payload: 2KiB",
    "7:24: error: Cannot log payloads of 2048 bytes",
  ],
  [
    "reaction",
    "builtin/file",
    "path: /var/log/%Q.log",
    '7:17: error: Cannot use path "/var/log/%Q.log": "%Q" is none of',
  ],
  ["reaction", "builtin/http", "url: http://", "7:16: error: The URL is none of http or https ("],
  [
    "reaction",
    "builtin/http",
    "url: http://x\nheaders: { a b: c }",
    "8:27: error: Invalid header name",
  ],
  [
    "processor",
    "builtin/parse",
    "format: json\ntarget: a.__proto__",
    '8:19: error: Cannot use path "a.__proto__": the name __proto__ is reserved (',
  ],
  [
    "reaction",
    "builtin/sse",
    "listen: localhost:70000",
    "7:19: error: Cannot listen on port 70000: the last one is 65535 (",
  ],
];

Deno.test("settings that fit the schema and cannot be used are shown where they stand", async () => {
  for (const [kind, use, config, expected] of CASES) {
    const found = await faults(configuration(kind, use, config));
    assert.equal(found.length, 1, `${use}: ${found.join("\n")}`);
    const start = `busbar.yaml:${expected}`;
    assert.equal(found[0]!.slice(0, start.length), start);
  }
});

Deno.test("what helps stands below", async () => {
  const zone = await faults(
    configuration("source", "builtin/cron", 'schedule: "* * * * *"\ntimezone: Europe/Berlim'),
  );
  assert.match(zone[0]!, /did you mean "Europe\/Berlin"\?$/);
  const pattern = await faults(
    configuration("processor", "builtin/parse", 'format: regex\npattern: "(?<a>x"'),
  );
  assert.match(pattern[0]!, /\n {2}Unterminated group$/);
});

Deno.test("a setting that comes from plugins.use is shown there, and that of a disabled pipeline is a warning", async () => {
  const text = configuration("source", "builtin/cron", "catch_up: all");
  const shared = await faults(
    `${text}plugins:\n  use:\n    builtin:\n      config:\n        schedule: never\n`,
  );
  assert.match(shared[0]!, /^busbar\.yaml:14:19: error: Cannot use schedule "never" in UTC/);
  const off = text.replace("  web:\n", "  web:\n    enabled: false\n")
    .replace("catch_up: all", "schedule: never");
  assert.match((await faults(off))[0]!, /^busbar\.yaml:8:21: warning: Cannot use schedule "never"/);
});
