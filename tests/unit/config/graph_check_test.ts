import assert from "node:assert/strict";
import { ConfigError, formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { checkConfig, resolveConfig, resolvePipelines } from "../../../src/config/graph_check.ts";
import { brief, catalog, load, pipeline } from "./support.ts";

/** What the check finds in a pipeline whose parts are given from line 3 on, indented by 4. */
async function found(parts: string): Promise<string[]> {
  return brief(await checkConfig(await load(`pipelines:\n${pipeline(parts)}`), catalog));
}

Deno.test("resolvePipelines() gives the whole plan in topological order", async () => {
  const text = `
cells: { limits: { memory: 512MiB }, timeouts: { call: 9s }, environment: [TZ] }
pipelines:
  web:
    cell: small
    validate: strict
    limits: { cpu: 0.5 }
    restart: { max_restarts: 3 }
    timeouts: { stop: 1s }
    shutdown_timeout: 7s
    batch: { max_events: 64, max_bytes: 64KiB, max_delay: 1ms, in_flight: 2 }
    checkpoint_interval: 250ms
    sources:
      access: { use: file-tail, config: { paths: [/a] } }
    processors:
      last: { use: access-log, from: [route.errors, route] }
      route: { use: router/split, from: access }
    reactions:
      out:
        use: builtin/stdout
        from: [last, route.good]
        retry: { max_attempts: 5, initial: 1s }
        on_failure: stop
`;
  const [web] = await resolvePipelines(await load(text), catalog);
  assert.deepEqual(web, {
    id: "web",
    enabled: true,
    cell: "small",
    partitions: 1,
    validate: "strict",
    batch: { maxEvents: 64, maxBytes: 65536, maxDelayMs: 1, inFlight: 2 },
    checkpointIntervalMs: 250,
    deadLetters: { maxBytes: 256 * 2 ** 20, maxAgeMs: 30 * 86_400_000 },
    limits: { memoryBytes: 2 ** 29, descriptors: 1024, cpu: 0.5 },
    restart: { initialMs: 100, maxMs: 30_000, multiplier: 2, maxRestarts: 3, windowMs: 60_000 },
    timeouts: { createMs: 30_000, callMs: 9000, stopMs: 1000, healthMs: 2000 },
    environment: ["TZ"],
    shutdownTimeoutMs: 7000,
    components: [
      {
        id: "access",
        kind: "source",
        plugin: "file-tail",
        component: "tail",
        config: { paths: ["/a"] },
        from: [],
        outputs: ["out"],
        blocking: true,
        replayable: false,
        buffer: null,
      },
      {
        id: "route",
        kind: "processor",
        plugin: "router",
        component: "split",
        config: {},
        from: [{ component: "access", output: 0 }],
        outputs: ["good", "errors"],
        blocking: false,
        replayable: false,
        delivery: {
          retry: { initialMs: 100, maxMs: 30_000, multiplier: 2, maxAttempts: 0, jitter: 0.2 },
          onFailure: "dead_letter",
        },
      },
      {
        id: "last",
        kind: "processor",
        plugin: "access-log",
        component: "parse",
        config: {},
        from: [{ component: "route", output: 1 }, { component: "route", output: 0 }],
        outputs: ["out"],
        blocking: false,
        replayable: false,
        delivery: {
          retry: { initialMs: 100, maxMs: 30_000, multiplier: 2, maxAttempts: 0, jitter: 0.2 },
          onFailure: "dead_letter",
        },
      },
      {
        id: "out",
        kind: "reaction",
        plugin: "builtin",
        component: "stdout",
        config: {},
        from: [{ component: "last", output: 0 }, { component: "route", output: 0 }],
        outputs: [],
        blocking: false,
        replayable: false,
        delivery: {
          retry: { initialMs: 1000, maxMs: 30_000, multiplier: 2, maxAttempts: 5, jitter: 0.2 },
          onFailure: "stop",
        },
      },
    ],
  });
  assert.deepEqual(JSON.parse(JSON.stringify(web)), web);
});

Deno.test("an unknown plugin is shown with line, caret and the name that was meant", async () => {
  const loaded = await load(`pipelines:
  web:
    sources: { access: { use: builtin/generate } }
    processors:
      parsed: { use: acces-log/parse, from: [access] }
    reactions: { out: { use: builtin/discard, from: parsed } }
`);
  const [diagnostic] = await checkConfig(loaded, catalog);
  assert.equal(
    formatDiagnostic(diagnostic!),
    `busbar.yaml:5:22: error: Unknown plugin "acces-log" in pipelines.web.processors.parsed.use
    5 |       parsed: { use: acces-log/parse, from: [access] }
      |                      ^^^^^^^^^^^^^^^
  did you mean "access-log"?`,
  );
});

Deno.test("use must name one component of the right kind", async () => {
  assert.deepEqual(
    await found(`sources:
  in: { use: builtin/generat }
  b: { use: builtin/stdout }
  c: { use: access-log }
  d: { use: a/b/c }
reactions:
  out: { use: builtin, from: [in, b, c, d] }`),
    [
      '4:18 Unknown source "generat" of plugin "builtin" in pipelines.web.sources.in.use',
      '5:17 Cannot use reaction "builtin/stdout" as a source in pipelines.web.sources.b.use',
      '6:17 Plugin "access-log" has no source in pipelines.web.sources.c.use',
      '7:17 Cannot read "a/b/c": expected plugin or plugin/component in pipelines.web.sources.d.use',
      '9:19 Plugin "builtin" has 2 reactions in pipelines.web.reactions.out.use',
    ],
  );
});

Deno.test("from must name an output of a source or processor of the pipeline", async () => {
  assert.deepEqual(
    await found(`processors:
  p: { use: router/split, from: [in, inn] }
  q: { use: access-log, from: p.erors }
  r: { use: access-log, from: [in.out, in, in.x] }
reactions:
  out: { use: builtin/stdout, from: [p, q, r, log] }
  log: { use: builtin/stdout, from: p.errors }`),
    [
      '4:42 Unknown component "inn" in pipelines.web.processors.p.from[1]',
      '5:35 Unknown output "erors" of processor "p" in pipelines.web.processors.q.from',
      '6:44 Duplicate "in" in pipelines.web.processors.r.from[1]',
      '6:48 Unknown output "x" of source "in" in pipelines.web.processors.r.from[2]',
      '8:51 Cannot read from reaction "log" in pipelines.web.reactions.out.from[3]: a reaction has no output',
    ],
  );
});

Deno.test("an id is given once in a pipeline, whatever the kind", async () => {
  assert.deepEqual(await found("reactions:\n  in: { use: builtin/stdout, from: in }"), [
    '4:7 Duplicate id "in" in pipelines.web: pipelines.web.sources.in has it already',
  ]);
});

Deno.test("a cycle is printed from start to start, in the direction of the events", async () => {
  assert.deepEqual(
    await found(`processors:
  a: { use: access-log, from: [in, c] }
  b: { use: access-log, from: a }
  c: { use: access-log, from: b }
reactions:
  out: { use: builtin/stdout, from: c }`),
    ["4:40 Cycle in pipelines.web: a → b → c → a"],
  );
  assert.deepEqual(
    await found(`processors:
  a: { use: router, from: [in, a.errors] }
reactions:
  out: { use: builtin/stdout, from: a }`),
    ["4:36 Cycle in pipelines.web: a → a"],
  );
});

Deno.test("what nobody reads is a warning", async () => {
  const text = `pipelines:\n${pipeline(`processors: { p: { use: access-log, from: in } }`)}`;
  const diagnostics = await checkConfig(await load(text), catalog);
  assert.deepEqual(diagnostics.map(({ severity }) => severity), ["warning"]);
  assert.deepEqual(brief(diagnostics), [
    '3:19 Nothing reads processor "p": its events go nowhere',
  ]);
});

Deno.test("partitions need sources that can be partitioned", async () => {
  assert.deepEqual(await found("partitions: 2"), []);
  assert.deepEqual(
    await found("partitions: 2\nsources: { in: { use: file-tail, config: { paths: [/a] } } }"),
    ['3:17 Cannot run 2 partitions of pipeline "web": source "in" (file-tail/tail) cannot be partitioned'],
  );
});

Deno.test("a plugin that is disabled cannot be used, one that is unknown is a warning", async () => {
  const loaded = await load(
    `plugins: { use: { builtin: { enabled: false }, file-tial: {} } }\npipelines:\n${pipeline()}`,
  );
  const diagnostics = await checkConfig(loaded, catalog);
  assert.deepEqual(brief(diagnostics), [
    '1:48 Unknown plugin "file-tial" in plugins.use',
    '4:27 Cannot use plugin "builtin" in pipelines.web.sources.in.use: it is disabled',
    '5:30 Cannot use plugin "builtin" in pipelines.web.reactions.out.use: it is disabled',
  ]);
  assert.equal(diagnostics[0]?.severity, "warning");
});

Deno.test("two Go plugins are refused in one cell, not in two", async () => {
  const go = (plugin: string) =>
    `processors: { m: { use: ${plugin}, from: in } }
reactions: { out: { use: builtin/stdout, from: m } }`;
  const apart = `pipelines:\n${pipeline(go("go-one"), "a")}${pipeline(go("go-two"), "b")}`;
  assert.deepEqual(await checkConfig(await load(apart), catalog), []);
  const together = `pipelines:\n${pipeline("cell: x\n" + go("go-one"), "a")}` +
    pipeline("cell: x\n" + go("go-two"), "b");
  const { pipelines, diagnostics } = await resolveConfig(await load(together), catalog);
  assert.deepEqual(brief(diagnostics), [
    '9:29 Cannot use Go plugins "go-one" and "go-two" in cell "x": two Go runtimes in one process hang it',
  ]);
  assert.deepEqual(pipelines.map(({ id }) => id), ["a"]);
});

Deno.test("pipelines of one cell agree on what is the process's", async () => {
  const text = `pipelines:\n${pipeline("cell: x\nlimits: { memory: 128MiB }", "a")}` +
    pipeline("cell: x\nlimits: { memory: 256MiB }", "b") +
    pipeline("cell: x\npartitions: 2\nlimits: { memory: 128MiB }", "c");
  assert.deepEqual(
    brief(await checkConfig(await load(text), catalog)),
    [
      '9:13 Cannot run "a" and "b" in cell "x": their limits differ',
      '14:17 Cannot run 2 partitions of pipeline "c" in cell "x": a cell of several pipelines is one process',
    ],
  );
});

Deno.test("a pipeline with errors does not take the others with it", async () => {
  const bad = "sources: { in: { use: nope } }";
  const text = `pipelines:\n${pipeline(bad, "bad")}${pipeline("", "good")}` +
    pipeline("enabled: false\n" + bad, "off");
  const loaded = await load(text);
  const { pipelines, diagnostics } = await resolveConfig(loaded, catalog);
  assert.deepEqual(pipelines.map(({ id }) => id), ["good"]);
  assert.deepEqual(diagnostics.map(({ severity, path }) => [severity, path]), [
    ["error", "pipelines.bad.sources.in.use"],
    ["warning", "pipelines.off.sources.in.use"],
  ]);
  await assert.rejects(resolvePipelines(loaded, catalog), (error) => error instanceof ConfigError);
});
