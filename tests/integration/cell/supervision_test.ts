import assert from "node:assert/strict";
import { join } from "node:path";
import { type Busbar, busbarProgram, waitFor } from "../../support/busbar.ts";
import { faultyPipeline, gone, steadyPipeline, watchSteady, withPipelines } from "./config.ts";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function running(busbar: Busbar, id: string, restarts = 0) {
  return busbar.pipeline(
    id,
    (pipeline) => pipeline.restarts === restarts && pipeline.status === "running",
  );
}

Deno.test("signals from outside, two SIGSEGVs in a row among them, end nothing but their cell, and blame nobody", async () => {
  const signals = ["SIGSEGV", "SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"] as const;
  await withPipelines({ web: steadyPipeline() }, async (busbar) => {
    const steadyIsUntouched = await watchSteady(busbar);
    for (const [restarts, signal] of signals.entries()) {
      const { cell } = await running(busbar, "web", restarts);
      Deno.kill(cell.pid, signal);
      const { lastExit, cell: next } = await running(busbar, "web", restarts + 1);
      assert.notEqual(next.pid, cell.pid);
      assert.deepEqual([lastExit.signal, lastExit.culprit], [signal, null]);
      assert.match(lastExit.message, new RegExp(`^cell was killed by ${signal} sent by pid \\d+`));
      if (restarts < 2) {
        assert.ok(Date.parse(next.startedAt) - Date.parse(lastExit.at) < 1000, "within a second");
      }
    }
    await steadyIsUntouched();
  });
});

Deno.test("a restarted source goes on where everything was finished, and counters go on as well", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "collected");
    const web = {
      sources: {
        numbers: { use: "probe/numbers", config: { wake: true, interval_ms: 5, burst: 8 } },
      },
      reactions: { sink: { use: "probe/collect", from: ["numbers"], config: { file } } },
      checkpoint_interval: "10ms",
    };
    await withPipelines({ web }, async (busbar) => {
      let last = 0;
      for (const restarts of [0, 1, 2]) {
        const { cell, components } = await busbar.pipeline(
          "web",
          (pipeline) =>
            pipeline.status === "running" && pipeline.restarts === restarts &&
            pipeline.components[1].eventsIn > last + 100,
        );
        last = components[1].eventsIn;
        Deno.kill(cell.pid, "SIGKILL");
        const after = await running(busbar, "web", restarts + 1);
        assert.ok(after.components[1].eventsIn >= last, "counters do not go back");
      }
      await busbar.stop();
      const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
      const numbers = lines.map((line) => Number(line.split(" ")[1]));
      const largest = numbers.reduce((a, b) => Math.max(a, b));
      assert.equal(new Set(numbers).size, largest, "every event came at least once");
      assert.ok(numbers.length < largest * 2, "and not all of them again");
    });
  });
});

for (
  const [what, kind, settings, overrides, expected] of [
    ["a call that hangs", "processor", { fault: "hang", in: "process" }, {
      timeouts: { call: "500ms" },
    }, /call did not return within 500 ms, while processor processor.processor was in process/],
    ["a call that spins", "reaction", { fault: "spin", in: "write" }, {
      timeouts: { call: "500ms" },
    }, /call did not return within 500 ms, while reaction reaction.reaction was in write/],
    ["a start that hangs", "source", { fault: "hang", in: "start" }, {
      timeouts: { create: "700ms" },
    }, /call did not return within 700 ms, while source source.source was in start/],
    ["a health that hangs", "source", { fault: "hang", in: "health" }, {
      timeouts: { health: "300ms" },
    }, /call did not return within 300 ms, while source source.source was in health/],
    ["a leak of memory", "processor", { fault: "leak", in: "tick", amount: 32 }, {
      limits: { memory: "192MiB" },
    }, /memory limit exceeded: [\d.]+ [MG]iB of 192 MiB/],
    ["a leak of descriptors", "processor", { fault: "fds", in: "tick", amount: 16 }, {
      limits: { descriptors: 128 },
    }, /descriptor limit reached: \d+ open, 128 allowed/],
  ] as const
) {
  Deno.test(`${what} is noticed, blamed and healed`, async () => {
    await withFolder(async (folder) => {
      const faulty = faultyPipeline(kind, { ...settings, once_file: join(folder, "once") });
      const pipelines = { web: { ...faulty, ...overrides } };
      await withPipelines(pipelines, async (busbar) => {
        const steadyIsUntouched = await watchSteady(busbar);
        const { lastExit } = await running(busbar, "web", 1);
        assert.equal(lastExit.culprit, "faulty 1.0.0", lastExit.message);
        assert.match(lastExit.message, expected);
        await steadyIsUntouched();
      });
    });
  });
}

Deno.test("too much processor time, averaged over ten seconds, is noticed, blamed and healed", async () => {
  await withFolder(async (folder) => {
    const once_file = join(folder, "once");
    const faulty = faultyPipeline("processor", { fault: "spin", in: "thread", once_file });
    const pipelines = { web: { ...faulty, limits: { cpu: 0.2 } } };
    await withPipelines(pipelines, async (busbar) => {
      const { lastExit } = await running(busbar, "web", 1);
      assert.equal(lastExit.culprit, "faulty 1.0.0");
      assert.match(lastExit.message, /CPU limit exceeded: \d\.\d\d of 0.2 cores over 10 s/);
    });
  });
});

Deno.test("a stop that hangs ends with shutdown_timeout, and busbar with it", async () => {
  const pipelines = {
    web: {
      ...faultyPipeline("source", { fault: "hang", in: "stop" }),
      shutdown_timeout: "1s",
    },
  };
  await withPipelines(pipelines, async (busbar) => {
    const { cell } = await running(busbar, "web");
    const { code, stderr } = await busbar.stop();
    assert.equal(code, 0);
    assert.match(
      stderr,
      /cell did not stop within 1000 ms, while source source.source was in stop/,
    );
    await gone(cell.pid);
  });
});

Deno.test("after max_restarts the pipeline is failed and everything else goes on", async () => {
  const pipelines = {
    web: {
      ...faultyPipeline("reaction", { fault: "segv", in: "start" }),
      restart: { initial: "1ms", max: "5ms", max_restarts: 3, window: "60s" },
    },
  };
  await withPipelines(pipelines, async (busbar) => {
    const steadyIsUntouched = await watchSteady(busbar);
    const web = await busbar.pipeline("web", ({ status }) => status === "failed");
    assert.deepEqual([web.restarts, web.cell, web.lastExit.culprit], [3, null, "faulty 1.0.0"]);
    await busbar.log(({ message }) =>
      /"web" is not started again: 3 restarts within 60000 ms/.test(message)
    );
    await steadyIsUntouched();
  });
});

Deno.test("--until-done ends with 1 when a pipeline failed, whatever became of the others", async () => {
  const done = (fault: Record<string, unknown>) => ({
    sources: { numbers: { use: "probe/numbers", config: { count: 10 } } },
    reactions: { sink: { use: "faulty/reaction", from: ["numbers"], config: fault } },
    restart: { initial: "1ms", max_restarts: 1 },
  });
  const pipelines = {
    good: done({}),
    bad: done({ fault: "abort", in: "write" }),
    steady: { ...steadyPipeline(), enabled: false },
  };
  await withPipelines(pipelines, async (busbar) => {
    const { code, stderr } = await busbar.exited();
    assert.equal(code, 1, stderr);
    assert.match(stderr, /"pipeline":"good","status":"completed"/);
    assert.match(stderr, /"pipeline":"bad","status":"failed"/);
  }, { args: ["--until-done"] });
});

Deno.test("a cell that is stopped and continued is left alone", async () => {
  const pipelines = { web: { ...steadyPipeline(), timeouts: { call: "300ms", health: "300ms" } } };
  await withPipelines(pipelines, async (busbar) => {
    const { cell, components } = await running(busbar, "web");
    Deno.kill(cell.pid, "SIGSTOP");
    const held = performance.now();
    await waitFor(() => performance.now() - held > 1500);
    Deno.kill(cell.pid, "SIGCONT");
    const after = await busbar.pipeline(
      "web",
      (pipeline) => pipeline.components[1].eventsIn > components[1].eventsIn,
    );
    assert.deepEqual([after.restarts, after.cell.pid], [0, cell.pid]);
  });
});

Deno.test("cells heal after the binary was replaced and removed under a running host", async () => {
  await withFolder(async (folder) => {
    const { command, args } = busbarProgram();
    assert.deepEqual(args, [], "dist/busbar is missing: run scripts/build");
    const binary = join(folder, "busbar");
    await Deno.copyFile(command, binary);
    await withPipelines({}, async (busbar) => {
      const before = await running(busbar, "steady");
      await Deno.writeTextFile(join(folder, "new"), "#!/bin/sh\nexit 9\n", { mode: 0o755 });
      await Deno.rename(join(folder, "new"), binary);
      Deno.kill(before.cell.pid, "SIGKILL");
      const { cell } = await running(busbar, "steady", 1);
      assert.notEqual(cell.pid, before.cell.pid);
      await Deno.remove(binary);
      Deno.kill(cell.pid, "SIGKILL");
      await running(busbar, "steady", 2);
      const copy = await Array.fromAsync(Deno.readDir(join(busbar.folder, "data", "run")));
      assert.equal(copy.length, 1);
    }, { binary });
  });
});

Deno.test("cells do not outlive a host that was killed, not even one that spins in native code", async () => {
  const spin = faultyPipeline("processor", { fault: "spin", in: "process" });
  await withPipelines({ spin }, async (busbar) => {
    const pids: number[] = [];
    for (const id of ["steady", "spin"]) pids.push((await running(busbar, id)).cell.pid);
    busbar.kill("SIGKILL");
    await busbar.exited();
    for (const pid of pids) await gone(pid);
  });
});

Deno.test("pipelines that name the same cell share a process and its fate", async () => {
  await withFolder(async (folder) => {
    const once_file = join(folder, "once");
    const pipelines = {
      one: { ...steadyPipeline(), cell: "shared" },
      two: {
        ...faultyPipeline("source", { fault: "segv", in: "poll", after: 20, once_file, count: 0 }),
        cell: "shared",
      },
    };
    await withPipelines(pipelines, async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      const one = await running(busbar, "one", 1);
      const two = await running(busbar, "two", 1);
      assert.equal(one.cell.pid, two.cell.pid);
      assert.deepEqual([one.cell.name, one.lastExit], ["shared", two.lastExit]);
      assert.deepEqual([two.lastExit.pipeline, two.lastExit.component], ["two", "source"]);
      await steadyIsUntouched();
    });
  });
});

Deno.test("a pipeline in partitions is shown as one, and each of its cells heals alone", async () => {
  const web = {
    sources: { numbers: { use: "builtin/generate", config: { rate: "200/s" } } },
    reactions: { sink: { use: "probe/collect", from: ["numbers"] } },
    partitions: 2,
  };
  await withPipelines({ web }, async (busbar) => {
    const { cells } = await running(busbar, "web");
    assert.deepEqual(cells.map(({ name }: { name: string }) => name), ["web/0", "web/1"]);
    Deno.kill(cells[1].pid, "SIGKILL");
    const after = await running(busbar, "web", 1);
    assert.equal(after.cells[0].pid, cells[0].pid);
    assert.notEqual(after.cells[1].pid, cells[1].pid);
  });
});

Deno.test("records of a plugin's own thread keep target, spans and key-values in the log", async () => {
  const web = {
    sources: { chatty: { use: "probe/chatty", config: { records: 3 } } },
    reactions: { sink: { use: "probe/collect", from: ["chatty"] } },
  };
  await withPipelines({ web }, async (busbar) => {
    const ready = await busbar.log(({ message, cell }) =>
      message === "Cell ready" && cell === "web"
    );
    const record = await busbar.log((log) => log.component === "chatty" && "parent_span_id" in log);
    assert.deepEqual(
      [record.pipeline, record.plugin, record.logger, record.cell],
      ["web", "probe", "busbar.plugin.probe", "web"],
    );
    assert.match(String(record.span_id), /^[0-9a-f]{16}$/);
    assert.match(String(record.parent_span_id), /^[0-9a-f]{16}$/);
    assert.notEqual(record.thread, ready.pid);
    assert.ok(record.target);
    const kinds = Object.values(record.fields as object).map((value) => typeof value);
    assert.deepEqual(new Set(kinds), new Set(["string", "number", "boolean", "object"]));
  });
});
