import assert from "node:assert/strict";
import { RecordLayout } from "../../ffi/layout.ts";
import { FAULTS, fixture, PLUGINS } from "../fixtures/build.ts";
import { waitFor, withBusbar } from "../support/busbar.ts";

const pipeline = (source: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  sources: { source },
  processors: { pass: { use: "probe/pass", from: ["source"] } },
  reactions: { sink: { use: "probe/collect", from: ["pass"] } },
  ...more,
});
const NUMBERS = { use: "probe/numbers", config: { count: 25, idle: true, payload_size: 8 } };

/** What the API promises; there may be more. */
const PIPELINE = ["id", "status", "cell", "restarts", "lastExit", "components"];
const CELL = ["pid", "rss", "startedAt"];
const LAST_EXIT = ["signal", "code", "culprit", "component", "call", "at"];
const COMPONENT = [
  "id",
  "kind",
  "eventsIn",
  "eventsOut",
  "bytesIn",
  "bytesOut",
  "errors",
  "health",
];

function assertHas(object: Record<string, unknown>, keys: string[]): void {
  for (const key of keys) {
    assert.ok(Object.hasOwn(object, key), `${key} in ${JSON.stringify(object)}`);
  }
}

Deno.test("the admin API shows every pipeline: process, restarts, last exit, counters and health", async () => {
  for (const name of ["probe", "faulty"]) await fixture(name);
  const crashing = { use: "faulty/source", config: { fault: "segv", in: "poll" } };
  const config = {
    plugins: { directories: [PLUGINS] },
    pipelines: {
      web: pipeline(NUMBERS),
      bad: pipeline(crashing, { restart: { initial: "1ms", max_restarts: 2 } }),
      off: pipeline(NUMBERS, { enabled: false }),
    },
  };
  await withBusbar({ config }, async (busbar) => {
    const web = await busbar.pipeline(
      "web",
      ({ status, cell, components }) =>
        // Sampled now and then: the first one may be of a process that has hardly begun.
        status === "running" && cell.rss > 10_000_000 && components[2].eventsIn === 25 &&
        components[0].health === "healthy",
    );
    assertHas(web, PIPELINE);
    assertHas(web.cell, CELL);
    assert.deepEqual([web.status, web.restarts, web.lastExit], ["running", 0, null]);
    assert.ok((await Deno.stat(`/proc/${web.cell.pid}`)).isDirectory);
    assert.equal(new Date(web.cell.startedAt).toISOString(), web.cell.startedAt);
    const size = 25 * (RecordLayout.size + 8);
    const [source, pass, sink] = web.components;
    for (const component of web.components) assertHas(component, COMPONENT);
    const shown = (
      { id, kind, eventsIn, eventsOut, bytesIn, bytesOut, errors }: Record<string, unknown>,
    ) => [
      id,
      kind,
      eventsIn,
      eventsOut,
      bytesIn,
      bytesOut,
      errors,
    ];
    assert.deepEqual(shown(source), ["source", "source", 0, 25, 0, size, 0]);
    assert.deepEqual(shown(pass), ["pass", "processor", 25, 25, size, size, 0]);
    assert.deepEqual(shown(sink), ["sink", "reaction", 25, 0, size, 0, 0]);

    const bad = await busbar.pipeline("bad", ({ status }) => status === "failed");
    assertHas(bad.lastExit, LAST_EXIT);
    const { signal, code, culprit, component, call, at } = bad.lastExit;
    assert.deepEqual(
      [bad.restarts, bad.cell, signal, code, culprit, component, call],
      [2, null, "SIGSEGV", 139, "faulty 1.0.0", "source", "poll"],
    );
    assert.equal(new Date(at).toISOString(), at);

    const all = await busbar.get("/api/v1/pipelines");
    assert.deepEqual(
      all.map(({ id, status }: Record<string, unknown>) => [id, status]),
      [["web", "running"], ["bad", "failed"], ["off", "disabled"]],
    );
    for (const one of all) assertHas(one, PIPELINE);

    const ready = await busbar.fetch("/readyz");
    assert.equal(ready.status, 503);
    assert.match(ready.body.error.message, /"bad" is failed/);
    assert.doesNotMatch(ready.body.error.message, /"web"|"off"/);
    assert.deepEqual(await busbar.get("/healthz"), { status: "ok" });
  });
});

Deno.test("readyz answers 503 and names a pipeline until it runs", async () => {
  await fixture("faulty");
  const slow = { use: "faulty/source", config: { fault: "hang", in: "start" } };
  const config = {
    plugins: { directories: [PLUGINS] },
    pipelines: {
      slow: {
        sources: { source: slow },
        reactions: { gone: { use: "builtin/discard", from: ["source"] } },
        shutdown_timeout: "500ms",
      },
    },
  };
  await withBusbar({ config }, async (busbar) => {
    await waitFor(() => busbar.address, { busbar });
    const { status, body } = await busbar.fetch("/readyz");
    assert.equal(status, 503);
    assert.match(body.error.message, /"slow" is (starting|restarting)/);
  });
});

Deno.test("the admin API shows every plugin that was found, and why it refuses the bad ones", async () => {
  await fixture("static-good");
  const config = {
    plugins: { directories: [PLUGINS, FAULTS] },
    pipelines: { web: pipeline(NUMBERS) },
  };
  await withBusbar({ config }, async (busbar) => {
    const plugins: Record<string, { ok: boolean; problems: { code: string; message: string }[] }> =
      Object.fromEntries(
        (await busbar.get("/api/v1/plugins")).map((
          { name, verdict }: { name: string; verdict: unknown },
        ) => [name, verdict]),
      );
    for (const name of ["builtin", "probe", "faulty", "static-good", "minor-older"]) {
      assert.deepEqual(plugins[name], { ok: true, problems: [] }, name);
    }
    const reasons = {
      "no-root": /busbar_plugin/,
      "hash-unknown": /ABI hash differs/,
      "minor-newer": /requires_minor differs/,
      "target-wrong": /target differs/,
      "library-missing": /"libbusbar_absent\.so"/,
      "manifest-copy-differs": /differs from the embedded manifest/,
    };
    for (const [name, reason] of Object.entries(reasons)) {
      const { ok, problems } = plugins[name]!;
      assert.equal(ok, false, name);
      assert.match(problems.map(({ message }) => message).join("\n"), reason);
    }
  });
});

Deno.test("the admin API answers only for its own name, and says what is not there", async () => {
  const config = {
    pipelines: {
      web: {
        sources: { made: { use: "builtin/generate", config: { rate: "10/s" } } },
        reactions: { gone: { use: "builtin/discard", from: ["made"] } },
      },
    },
  };
  await withBusbar({ config }, async (busbar) => {
    assert.equal(
      (await busbar.fetch("/api/v1/pipelines/other")).body.error.code,
      "PipelineNotFound",
    );
    assert.equal((await busbar.fetch("/other")).status, 404);
    assert.equal((await busbar.fetch("/healthz", { method: "POST" })).status, 405);
    const foreign = await busbar.fetch("/healthz", { headers: { origin: "http://example.com" } });
    assert.equal(foreign.status, 403);
  });
});
