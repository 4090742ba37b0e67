import assert from "node:assert/strict";
import { join } from "node:path";
import { FAULTS, fixture, PLUGINS } from "../fixtures/build.ts";
import { runBusbar, waitFor, withBusbar, writeConfig } from "../support/busbar.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_run_" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function pipeline(source: Record<string, unknown>, more: Record<string, unknown> = {}) {
  return {
    sources: { s: source },
    reactions: { r: { use: "builtin/discard", from: ["s"] } },
    ...more,
  };
}

const GENERATE = { use: "builtin/generate", config: { rate: "1000/s" } };
const ONCE = { use: "builtin/generate", config: { count: 1000 } };

Deno.test("run serves what runs: readiness, pipelines with counters, plugins with verdicts", async () => {
  await fixture("probe");
  const config = {
    plugins: { directories: [PLUGINS, FAULTS] },
    pipelines: {
      one: pipeline(GENERATE),
      two: pipeline({ use: "probe/numbers", config: { count: 5, idle: true } }),
      off: pipeline(GENERATE, { enabled: false }),
    },
  };
  await withBusbar({ config }, async (busbar) => {
    const one = await busbar.pipeline(
      "one",
      ({ components, cell }) => components.at(-1).eventsIn > 0 && cell?.rss > 0,
    );
    assert.equal(one.status, "running");
    assert.ok(one.cell.pid > 0, JSON.stringify(one.cell));
    assert.ok(Date.parse(one.cell.startedAt) <= Date.now());
    assert.deepEqual([one.restarts, one.lastExit], [0, null]);
    assert.deepEqual(
      one.components.map(({ id, kind }: { id: string; kind: string }) => [id, kind]),
      [["s", "source"], ["r", "reaction"]],
    );
    const two = await busbar.pipeline("two", ({ components }) => components[1].eventsIn === 5);
    for (const field of ["eventsIn", "eventsOut", "bytesIn", "bytesOut", "errors"]) {
      assert.equal(typeof two.components[0][field], "number", field);
    }
    assert.equal(typeof two.components[0].health, "string");

    await waitFor(async () => (await busbar.fetch("/readyz")).status === 200, { busbar });
    assert.deepEqual(await busbar.get("/healthz"), { status: "ok" });
    const all = await busbar.get("/api/v1/pipelines");
    assert.deepEqual(all.map(({ id, status }: { id: string; status: string }) => [id, status]), [
      ["one", "running"],
      ["two", "running"],
      ["off", "disabled"],
    ]);

    const plugins = await busbar.get("/api/v1/plugins");
    // deno-lint-ignore no-explicit-any
    const named = (name: string) => plugins.find((plugin: any) => plugin.name === name);
    assert.deepEqual(named("builtin").usedBy, ["one", "two"]);
    assert.deepEqual(named("probe").usedBy, ["two"]);
    assert.deepEqual(named("static-good").usedBy, []);
    assert.equal(named("hash-unknown").verdict.problems[0].code, "AbiMismatch");

    const data = join(busbar.folder, "data");
    assert.equal((await Deno.stat(data)).mode! & 0o777, 0o700);
    const stored = await Array.fromAsync(Deno.readDir(join(data, "plugins")), ({ name }) => name);
    assert.deepEqual(stored, ["probe"], "what is used is copied to the store, and nothing else");
    const bad = await busbar.log(({ code, message }) =>
      code === "AbiMismatch" && message.includes('"hash-unknown"')
    );
    assert.equal(bad.level, "WARN");
  });
});

Deno.test("run is not ready while a pipeline has failed, and names it", async () => {
  await fixture("faulty");
  const config = {
    plugins: { directories: [PLUGINS] },
    pipelines: {
      good: pipeline(GENERATE),
      bad: pipeline({ use: "faulty/source", config: { fault: "segv", in: "start" } }, {
        restart: { max_restarts: 0 },
      }),
    },
  };
  await withBusbar({ config }, async (busbar) => {
    await busbar.pipeline("bad", ({ status }) => status === "failed");
    const { status, body } = await busbar.fetch("/readyz");
    assert.equal(status, 503);
    assert.match(body.error.message, /"bad" is failed/);
    assert.equal((await busbar.fetch("/healthz")).status, 200);
    await busbar.pipeline("good", ({ status }) => status === "running");
  });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`run stops in order on ${signal} and ends with 0, and no cell is left`, async () => {
    const config = { pipelines: { one: pipeline(GENERATE) } };
    await withBusbar({ config }, async (busbar) => {
      const { cell } = await busbar.pipeline("one", ({ status }) => status === "running");
      busbar.kill(signal);
      const { code } = await busbar.exited();
      assert.equal(code, 0);
      assert.ok(busbar.logs.some(({ message }) => message === "busbar stopped"));
      await assert.rejects(Deno.stat(`/proc/${cell.pid}`), Deno.errors.NotFound);
      await assert.rejects(fetch(`${busbar.address}/healthz`));
    });
  });
}

Deno.test("a second signal ends run and its cells at once", async () => {
  await fixture("faulty");
  const config = {
    plugins: { directories: [PLUGINS] },
    pipelines: {
      slow: pipeline({ use: "faulty/source", config: { fault: "hang", in: "stop" } }, {
        timeouts: { stop: "1h" },
        shutdown_timeout: "1h",
      }),
    },
  };
  await withBusbar({ config }, async (busbar) => {
    const { cell } = await busbar.pipeline("slow", ({ status }) => status === "running");
    busbar.kill("SIGTERM");
    await busbar.log(({ message }) => message === "busbar stopping");
    assert.equal((await busbar.fetch("/readyz")).status, 503, "stopping is not ready");
    busbar.kill("SIGTERM");
    assert.equal((await busbar.exited()).code, 143);
    await waitFor(() => Deno.stat(`/proc/${cell.pid}`).then(() => false, () => true), {
      what: "the end of the cell",
    });
  });
});

Deno.test("run --until-done ends with 0 when all pipelines have completed", () =>
  withFolder(async (folder) => {
    const config = await writeConfig(folder, {
      pipelines: { one: pipeline(ONCE), two: pipeline(ONCE) },
    });
    const { code, stderr } = await runBusbar(["run", "-c", config, "--until-done"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^busbar listening on http:\/\/127\.0\.0\.1:\d+$/m);
  }));

Deno.test("run --until-done ends with 1 when a pipeline has failed, after the others are done", () =>
  withFolder(async (folder) => {
    await fixture("faulty");
    const config = await writeConfig(folder, {
      plugins: { directories: [PLUGINS] },
      pipelines: {
        good: pipeline(ONCE),
        bad: pipeline({ use: "faulty/source", config: { fault: "abort", in: "start" } }, {
          restart: { max_restarts: 0 },
        }),
      },
    });
    const { code, stderr } = await runBusbar(["run", "-c", config, "--until-done"]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Pipeline \\"bad\\" failed: /);
    assert.match(stderr, /Pipeline \\"good\\" is completed/);
  }));

Deno.test("run says which port is in use and ends with 3", () =>
  withFolder(async (folder) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    const config = await writeConfig(folder, { pipelines: { one: pipeline(GENERATE) } });
    const { code, stderr } = await runBusbar(["run", "-c", config, "--port", `${port}`]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, new RegExp(`Cannot listen on 127\\.0\\.0\\.1, port ${port}: .* in use`));
  }));

Deno.test("run says which data folder it cannot use and ends with 3", () =>
  withFolder(async (folder) => {
    const config = await writeConfig(folder, {
      data_dir: join(folder, "busbar.yaml/data"),
      pipelines: { one: pipeline(GENERATE) },
    });
    const { code, stderr } = await runBusbar(["run", "-c", config]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /Cannot use data folder ".*busbar\.yaml\/data": /);
  }));

Deno.test("run refuses a bind beyond loopback unless that is wanted", async () => {
  const config = { pipelines: { one: pipeline(GENERATE) } };
  await withFolder(async (folder) => {
    const file = await writeConfig(folder, config);
    for (const args of [["--host", "0.0.0.0"], ["--set", "server.host=0.0.0.0"]]) {
      const { code, stderr } = await runBusbar(["run", "-c", file, ...args]);
      assert.equal(code, 2, stderr);
      assert.match(
        stderr,
        /Cannot listen on server\.host "0\.0\.0\.0": .*\n.*server\.insecure: true/,
      );
    }
  });
  const args = ["--host", "0.0.0.0", "--set", "server.insecure=true"];
  await withBusbar({ config, args }, async (busbar) => {
    assert.match(busbar.address ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual(await busbar.get("/healthz"), { status: "ok" });
  });
});

Deno.test("run with server.enabled: false runs without HTTP", async () => {
  const config = { server: { enabled: false }, pipelines: { one: pipeline(GENERATE) } };
  await withBusbar({ config }, async (busbar) => {
    await busbar.log(({ pipeline, status }) => pipeline === "one" && status === "running");
    assert.equal(busbar.address, undefined);
    assert.equal((await busbar.stop()).code, 0);
  });
});

Deno.test("run finds busbar.yaml in the working directory, and variables and flags lie over it", () =>
  withFolder(async (cwd) => {
    await writeConfig(cwd, {
      pipelines: { one: pipeline(ONCE), two: pipeline(GENERATE) },
    });
    const { code, stderr } = await runBusbar(
      ["run", "--until-done", "--set", "pipelines.two.enabled=false", "--json"],
      { cwd, env: { BUSBAR_LOG__FORMAT: "pretty", BUSBAR_SERVER__ENABLED: "false" } },
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^\{.*"message":"busbar ready"/m);
    assert.doesNotMatch(stderr, /busbar listening/);
  }));

Deno.test("run prints what is wrong with its configuration and starts nothing", () =>
  withFolder(async (folder) => {
    const config = await writeConfig(folder, {
      pipelines: { one: pipeline({ use: "builtin/genrate" }) },
    });
    const { code, stderr } = await runBusbar(["run", "-c", config, "--port", "x"]);
    assert.equal(code, 2);
    assert.match(stderr, /^--port: error: /m);
    const second = await runBusbar(["run", "-c", config]);
    assert.equal(second.code, 2);
    assert.match(second.stderr, /did you mean "generate"/);
    await assert.rejects(Deno.stat(join(folder, "data")), Deno.errors.NotFound);
  }));

Deno.test("run warns about secrets that others can read and sources that cannot replay", () =>
  withFolder(async (folder) => {
    await fixture("probe");
    const secret = join(folder, "secret");
    await Deno.writeTextFile(secret, "127.0.0.1\n");
    await Deno.chmod(secret, 0o644);
    const config = {
      plugins: { directories: [PLUGINS] },
      server: { host: `\${file:${secret}}` },
      pipelines: { one: pipeline({ use: "probe/chatty" }) },
    };
    await withBusbar({ config }, async (busbar) => {
      await busbar.log(({ level, message }) => level === "WARN" && message.includes(secret));
      const replay = await busbar.log(({ message }) =>
        /cannot replay: events in flight/.test(message)
      );
      assert.equal(replay.level, "WARN");
      assert.equal(replay.config, "pipelines.one.sources.s.use");
    });
  }));
