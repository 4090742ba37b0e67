import assert from "node:assert/strict";
import { ContentType, Operation } from "../../../ffi/layout.ts";
import { type Given, json, numbers, type Processed, processed } from "./processing.ts";
import { type TestEvent, withBuiltin } from "./support.ts";

const NOON = 1_795_000_000n;
const NANOSECONDS = 1_000_000_000n;

/** What `parse` makes of texts. */
async function parsed(
  config: Record<string, unknown>,
  texts: readonly (string | TestEvent)[],
): Promise<Processed> {
  let result!: Processed;
  await withBuiltin("parse", { config, now: () => Number(NOON) * 1000 }, async ({ instance }) => {
    const events = texts.map((text) => typeof text === "string" ? { payload: text } : text);
    result = await processed(instance, events, { bytes: 400, limit: 5 });
  });
  return result;
}

const values = (events: readonly Given[]) => events.map(({ payload }) => JSON.parse(payload));

async function one(config: Record<string, unknown>, text: string | TestEvent): Promise<Given> {
  const { outputs: [out], refused } = await parsed(config, [text]);
  assert.deepEqual(refused, []);
  return out![0]!;
}

async function refusal(config: Record<string, unknown>, text: string): Promise<string> {
  const { outputs, refused } = await parsed(config, [text]);
  assert.deepEqual(outputs, [[]]);
  return refused[0]![1];
}

Deno.test("parse passes JSON objects on byte for byte, and refuses all else", async () => {
  const texts = ['{ "a": 1.50, "b":12345678901234567890 }', " {}", "[1]", "7", "x", '{"a":'];
  const { outputs: [out], refused } = await parsed({ format: "json" }, texts);
  assert.deepEqual(out!.map(({ payload }) => payload), texts.slice(0, 2));
  assert.ok(out!.every(({ contentType }) => contentType === "json"));
  assert.deepEqual(refused.map(([sequence]) => sequence), [3, 4, 5, 6]);
  assert.equal(refused[0]![1], "Cannot parse the text: it is no JSON object");
});

Deno.test("parse takes no JSON that is not UTF-8 for others to read", async () => {
  const bad = Uint8Array.from('{"a":"?"}', (character) => character.charCodeAt(0));
  bad[6] = 0xff;
  const { outputs: [out], refused } = await parsed({ format: "json" }, [{ payload: bad }]);
  assert.deepEqual([out, refused], [[], [[1, "Cannot parse the text: it is not UTF-8"]]]);
  assert.equal(
    (await one({ format: "json", types: { a: "text" } }, { payload: bad })).payload,
    '{"a":"\ufffd"}',
  );
});

Deno.test("parse leaves deletions without a payload as they are", async () => {
  const deletion = { payload: "", key: "k", operation: Operation.DELETE, timestamp: 5n };
  const configs = [{ format: "json" }, { format: "logfmt", keep: "raw" }, {
    format: "json",
    timestamp: { field: "t", format: "epoch_s" },
  }];
  for (const config of configs) {
    const { payload, key, operation, timestamp, marked } = await one(config, deletion);
    assert.deepEqual([payload, key, operation, timestamp, marked], ["", "k", "delete", 5n, false]);
  }
  assert.match(await refusal({ format: "json" }, ""), /^Cannot parse the text: /);
});

Deno.test("parse reads over a byte order mark", async () => {
  const csv = { format: "csv", columns: ["a", "b"] };
  assert.deepEqual((await parsed(csv, ["\ufeffa,b\r\n"])).outputs, [[]]);
  assert.equal((await one(csv, "\ufeff1,\ufeff2")).payload, '{"a":"1","b":"\ufeff2"}');
  assert.equal(
    (await one({ format: "regex", pattern: "^(?<a>.)$" }, "\ufeffx\n")).payload,
    '{"a":"x"}',
  );
});

Deno.test("parse refuses times that no event can have", async () => {
  const config = (format: string) => ({ format: "json", timestamp: { field: "t", format } });
  const years = "Cannot use the time: those of events are between the years 1678 and 2261";
  for (const t of ["1795000000123", "-1e11", "99999999999999999999"]) {
    assert.match(await refusal(config("epoch_s"), `{"t":${t}}`), /^Cannot (use|read)/);
  }
  assert.equal(await refusal(config("epoch_s"), '{"t":1795000000123}'), years);
  assert.equal(await refusal(config("iso8601"), '{"t":"9999-12-31"}'), years);
  assert.equal(
    await refusal({ format: "syslog" }, "<34>1 9999-10-11T22:14:15Z h - - - - m"),
    years,
  );
});

Deno.test("parse leaves the content type of what it marks", async () => {
  const texts = ["{}", "x", '{"a":1}', "{", "[]", "{ }"];
  const { outputs: [out] } = await parsed(
    { format: "json", on_error: "mark" },
    texts.map((payload) => ({ payload, contentType: ContentType.TEXT })),
  );
  assert.deepEqual(out!.map(({ payload }) => payload), texts);
  assert.deepEqual(out!.map(({ marked }) => marked), [false, true, false, true, true, false]);
  assert.deepEqual(
    out!.map(({ contentType }) => contentType),
    ["json", "text", "json", "text", "text", "json"],
  );
});

Deno.test("parse keeps everything of an event but payload, content type and time", async () => {
  const { payload, ...rest } = await one({
    format: "json",
    types: { n: "int" },
    keep: "meta.raw",
    timestamp: { field: "t", format: "epoch_ms" },
  }, {
    payload: '{"n":"123456789012345678901","t":1795000000123}',
    key: "k",
    timestamp: 5n,
    operation: 2,
    contentType: ContentType.TEXT,
  });
  assert.equal(
    payload,
    '{"n":123456789012345678901,"t":1795000000123,' +
      '"meta":{"raw":"{\\"n\\":\\"123456789012345678901\\",\\"t\\":1795000000123}"}}',
  );
  assert.deepEqual(rest, {
    key: "k",
    attributes: {},
    sequence: 1,
    source: 0,
    timestamp: 1_795_000_000_123_000_000n,
    operation: "update",
    contentType: "json",
    marked: false,
  });
});

Deno.test("parse reads logfmt", async () => {
  const config = { format: "logfmt", types: { status: "int", took: "float", ok: "bool" } };
  const { outputs: [out] } = await parsed(config, [
    'level=info msg="it \\"works\\"\\n\\u00e9" fast status=200 took=1.5 ok=TRUE\r\n',
    'a= b="" status=- __proto__=x a="x=y z" ',
  ]);
  assert.deepEqual(values(out!), [
    { level: "info", msg: 'it "works"\né', fast: true, status: 200, took: 1.5, ok: true },
    JSON.parse('{"a":"x=y z","b":"","status":null,"__proto__":"x"}'),
  ]);
  assert.equal(await refusal(config, 'a=1 b="x'), "Cannot read logfmt at character 4");
  assert.equal(await refusal(config, 'a=1 b="x"y'), "Cannot read logfmt at character 4");
  assert.equal(await refusal(config, "a=1 =2"), "Cannot read logfmt at character 4");
  assert.equal(await refusal(config, "status=2x"), 'Cannot make int of "status": "2x" is none');
});

Deno.test("parse reads back whatever logfmt and CSV were written", async () => {
  const chance = numbers(3);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  const text = () => Array.from({ length: next(6) }, () => 'ab"\\,; \n=é'[next(10)]).join("");
  const rows = Array.from({ length: 500 }, () => [text(), text(), text()]);
  const csv = rows.map((row) =>
    row.map((field) =>
      /[",\n]/.test(field) || field === "" || next(2) === 0
        ? `"${field.replaceAll('"', '""')}"`
        : field
    ).join(",")
  );
  const columns = ["x", "y", "z"];
  const fromCsv = await parsed({ format: "csv", columns }, csv);
  assert.deepEqual(values(fromCsv.outputs[0]!).map(Object.values), rows);
  const logfmt = rows.map((row) =>
    row.map((field, i) => `${columns[i]}=${JSON.stringify(field)}`).join(" ")
  );
  const fromLogfmt = await parsed({ format: "logfmt" }, logfmt);
  assert.deepEqual(values(fromLogfmt.outputs[0]!).map(Object.values), rows);
});

Deno.test("parse reads CSV", async () => {
  const config = {
    format: "csv",
    columns: ["at", "who", "n"],
    delimiter: ";",
    quote: "'",
    types: { n: "int" },
    timestamp: { field: "at", format: "%d.%m.%Y %H:%M" },
    time_zone: "+02:00",
  };
  const { outputs: [out], refused } = await parsed(config, [
    "at;who;n",
    "01.02.2026 03:04;'it''s; me';7\n",
    "01.02.2026 03:04;a'b;",
    "01.02.2026 03:04;'a'b;1",
    "01.02.2026 03:04;'a;1",
    "01.02.2026 03:04;a",
    "31.02.2026 03:04;a;1",
    "1/2/26;a;1",
  ]);
  assert.deepEqual(values(out!).map(({ who, n }) => [who, n]), [["it's; me", 7], ["a'b", null]]);
  assert.equal(out![0]!.timestamp, BigInt(Date.parse("2026-02-01T01:04:00Z")) * 1_000_000n);
  assert.deepEqual(refused.map(([, message]) => message), [
    "Cannot read CSV: text follows the closing quote of field 2",
    "Cannot read CSV: field 2 has no closing quote",
    "Cannot read CSV: expected 3 fields, found 2",
    "Cannot read the time: there is no such day or hour",
    'Cannot read "1/2/26" as a time by %d.%m.%Y %H:%M',
  ]);
});

Deno.test("parse reads syslog by both RFCs", async () => {
  const { outputs: [out], refused } = await parsed({ format: "syslog" }, [
    '<34>1 2026-10-11T22:14:15.003004005+01:00 mymachine su - ID47 [a@1 b="c\\"\\]" d="é"][e] \ufeff\'su\' failed',
    "<0>1 - - - - - -",
    "<13>Nov 18 10:56:59 web1 sshd[4321]: Accepted: key",
    "Dec 31 23:59:59 web1 kernel: boot\n",
    "<13>Jan  1 00:00:00 web1 no tag here",
    "<13>2026-10-11T22:14:15Z web1 app: x",
    "<192>1 - - - - - -",
    "<13>1 - - - - - [a b=c]",
    "<13>1 - -",
    "nonsense",
  ]);
  const of = (facility: number | null, severity: number | null) => ({ facility, severity });
  assert.deepEqual(values(out!), [
    {
      ...of(4, 2),
      timestamp: "2026-10-11T22:14:15.003004005+01:00",
      host: "mymachine",
      app: "su",
      procid: null,
      msgid: "ID47",
      structured_data: { "a@1": { b: 'c"]', d: "é" }, e: {} },
      message: "'su' failed",
    },
    {
      ...of(0, 0),
      timestamp: null,
      host: null,
      app: null,
      procid: null,
      msgid: null,
      message: "",
    },
    {
      ...of(1, 5),
      timestamp: "2026-11-18T10:56:59.000Z",
      host: "web1",
      app: "sshd",
      procid: "4321",
      msgid: null,
      message: "Accepted: key",
    },
    {
      ...of(null, null),
      timestamp: "2026-12-31T23:59:59.000Z",
      host: "web1",
      app: "kernel",
      procid: null,
      msgid: null,
      message: "boot",
    },
    {
      ...of(1, 5),
      timestamp: "2027-01-01T00:00:00.000Z",
      host: "web1",
      app: null,
      procid: null,
      msgid: null,
      message: "no tag here",
    },
    {
      ...of(1, 5),
      timestamp: "2026-10-11T22:14:15.000Z",
      host: "web1",
      app: "app",
      procid: null,
      msgid: null,
      message: "x",
    },
  ]);
  assert.deepEqual(out!.slice(0, 2).map(({ timestamp }) => timestamp), [
    BigInt(Date.parse("2026-10-11T21:14:15.003Z")) * 1_000_000n + 4005n,
    0n,
  ]);
  assert.deepEqual(refused.map(([, message]) => message), [
    "Cannot read syslog: priority 192 is more than 191",
    'Cannot read syslog: element "a" has no end',
    "Cannot read syslog: the header of RFC 5424 is incomplete",
    "Cannot read syslog: it is neither RFC 5424 nor RFC 3164",
  ]);
});

Deno.test("parse reads an access log by a pattern", async () => {
  const config = {
    format: "regex",
    pattern:
      '^(?<host>\\S+) \\S+ (?<user>\\S+) \\[(?<time>[^\\]]+)\\] "(?<request>[^"]*)" (?<status>\\d+) (?<bytes>\\S+)(?<rest> .*)?$',
    types: { status: "int", bytes: "int", user: "text" },
    timestamp: { field: "time", format: "clf" },
  };
  const line = '10.0.0.1 - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.1" 200 -';
  const { payload, timestamp } = await one(config, line);
  assert.deepEqual(JSON.parse(payload), {
    host: "10.0.0.1",
    user: "-",
    time: "10/Oct/2026:13:55:36 -0700",
    request: "GET / HTTP/1.1",
    status: 200,
    bytes: null,
    rest: null,
  });
  assert.equal(timestamp, BigInt(Date.parse("2026-10-10T20:55:36Z")) * 1_000_000n);
  assert.match(await refusal(config, "?"), /does not match the pattern/);
  const short = { ...config, max_length: "10B" };
  assert.equal(await refusal(short, line), "Cannot parse the text: it is longer than 10 bytes");
});

Deno.test("parse takes a member of the payload, and puts the result where it is wanted", async () => {
  const line = { log: { message: "a=1 b=2", n: 5 } };
  const made = async (config: Record<string, unknown>) =>
    JSON.parse((await one({ format: "logfmt", ...config }, json(line)[0]!)).payload);
  assert.deepEqual(await made({ field: "log.message" }), { a: "1", b: "2" });
  assert.deepEqual(await made({ field: "log.message", target: "parsed", types: { a: "int" } }), {
    ...line,
    parsed: { a: 1, b: "2" },
  });
  assert.deepEqual(await made({ field: "log.message", target: "log", keep: "raw" }), {
    log: { a: "1", b: "2" },
    raw: "a=1 b=2",
  });
  const whole = await one({ format: "logfmt", target: "x.y", keep: "raw" }, "c=3");
  assert.deepEqual(JSON.parse(whole.payload), { x: { y: { c: "3" } }, raw: "c=3" });
  const inner = await one({ format: "json", field: "m", target: "m" }, '{"m":"{\\"a\\":1}"}');
  assert.equal(inner.payload, '{"m":{"a":1}}');
  assert.equal(
    await refusal({ format: "logfmt", field: "log.n" }, JSON.stringify(line)),
    'Cannot parse "log.n": it is no text',
  );
});

Deno.test("parse reads times as they are written", async () => {
  const time = async (format: string, text: string, time_zone = "UTC") => {
    const config = { format: "json", timestamp: { field: "t", format }, time_zone };
    return (await one(config, `{"t":${text}}`)).timestamp;
  };
  const at = (iso: string) => BigInt(Date.parse(iso)) * 1_000_000n;
  assert.equal(
    await time("iso8601", '"2026-01-02T03:04:05.123456789Z"'),
    at("2026-01-02T03:04:05Z") + 123456789n,
  );
  assert.equal(
    await time("iso8601", '"2026-01-02 03:04:05,5 -0130"'),
    at("2026-01-02T04:34:05.5Z"),
  );
  assert.equal(await time("iso8601", '"2026-01-02T03:04"', "-05:00"), at("2026-01-02T08:04:00Z"));
  assert.equal(await time("iso8601", '"2026-01-02"'), at("2026-01-02T00:00:00Z"));
  assert.equal(await time("epoch_s", "1795000000"), NOON * NANOSECONDS);
  assert.equal(await time("epoch_s", '"-1.000000001"'), -1_000_000_001n);
  assert.equal(await time("epoch_us", "1795000000000001"), NOON * NANOSECONDS + 1000n);
  assert.equal(await time("epoch_ns", "1795000000000000001"), NOON * NANOSECONDS + 1n);
  assert.equal(
    await time("%b %e %H:%M:%S.%f", '"Jan  2 03:04:05.25"'),
    at("2027-01-02T03:04:05.25Z"),
  );
  assert.equal(
    await time("%A, %d. %B %Y, %I:%M %p %Z", '"Friday, 2. January 2026, 12:04 PM GMT"'),
    at("2026-01-02T12:04:00Z"),
  );
  assert.equal(await time("%FT%T%z", '"1969-12-31T23:59:59+0000"'), -NANOSECONDS);
  for (
    const text of ['"2026-13-01"', '"2026-02-30"', '"2026-01-01T24:00"', '"x"', "true", "null"]
  ) {
    const config = { format: "json", timestamp: { field: "t" } };
    assert.match(await refusal(config, `{"t":${text}}`), /^Cannot (read|tell) /, text);
  }
});

Deno.test("parse marks or drops what it cannot parse, as it is told", async () => {
  const texts = ["a=1", 'b="', "c=3"];
  const dropped = await parsed({ format: "logfmt", on_error: "drop" }, texts);
  assert.deepEqual(values(dropped.outputs[0]!), [{ a: "1" }, { c: "3" }]);
  const { outputs: [out] } = await parsed({ format: "logfmt", on_error: "mark" }, texts);
  const { payload, marked, attributes } = out![1]!;
  assert.deepEqual([payload, marked, attributes], ['b="', true, {
    "busbar.error": "Cannot read logfmt at character 1",
  }]);
});

Deno.test("parse checks its settings when they are read", async () => {
  for (
    const config of [
      { format: "csv" },
      { format: "regex" },
      { format: "regex", pattern: "(?<a>" },
      { format: "regex", pattern: "(a)" },
      { format: "json", timestamp: { field: "a", format: "%Q" } },
      { format: "json", timestamp: { field: "a", format: "iso" } },
      { format: "json", time_zone: "Berlin" },
      { format: "csv", columns: ["a", "a"] },
      { format: "csv", columns: ["a"], delimiter: "||" },
      { format: "csv", columns: ["a"], delimiter: "😀" },
      { format: "csv", columns: ["a"], delimiter: '"' },
    ]
  ) {
    await assert.rejects(withBuiltin("parse", { config }, () => {}), JSON.stringify(config));
  }
});
