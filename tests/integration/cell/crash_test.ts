import assert from "node:assert/strict";
import { join } from "node:path";
import type { Busbar } from "../../support/busbar.ts";
import { faultyPipeline, watchSteady, withPipelines } from "./config.ts";

/** Which component of `faulty` is asked for each call. */
const CALLS = {
  create: "processor",
  restore: "processor",
  start: "reaction",
  poll: "source",
  commit: "source",
  process: "processor",
  tick: "processor",
  write: "reaction",
  flush: "reaction",
  save: "processor",
  health: "source",
} as const;
const STOP_CALLS = { stop: "source", destroy: "reaction" } as const;

/** A pipeline is only restored when it has been saved: as it stops. */
async function restart(busbar: Busbar, pipeline: string): Promise<void> {
  await busbar.pipeline(
    pipeline,
    ({ status, components }) => status === "running" && components[2].eventsIn > 0,
  );
  const { status, body } = await busbar.fetch(`/api/v1/pipelines/${pipeline}/restart`, {
    method: "POST",
  });
  assert.equal(status, 200, JSON.stringify(body));
}

const FAULTS: Record<string, { signal: string | null; code: number; message: RegExp }> = {
  segv: { signal: "SIGSEGV", code: 139, message: /crashed, SIGSEGV, thread \d+, while / },
  abort: { signal: "SIGABRT", code: 134, message: /crashed, SIGABRT, thread \d+, while / },
  fpe: { signal: "SIGFPE", code: 136, message: /crashed, SIGFPE, thread \d+, while / },
  bus: { signal: "SIGBUS", code: 135, message: /crashed, SIGBUS, thread \d+, while / },
  kill: { signal: "SIGKILL", code: 137, message: /killed by SIGKILL \(by plugin faulty 1.0.0/ },
  exit: { signal: null, code: 3, message: /called exit\(3\) in / },
  libc: { signal: "SIGSEGV", code: 139, message: /crashed, SIGSEGV, thread \d+, while / },
};

for (const [fault, { signal, code, message }] of Object.entries(FAULTS)) {
  Deno.test(`${fault} in any call is blamed on its plugin and healed, and nothing else is touched`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const pipelines = Object.fromEntries(
        Object.entries(CALLS).map(([call, kind]) => [
          call,
          faultyPipeline(kind, { fault, in: call, once_file: join(folder, call) }),
        ]),
      );
      await withPipelines(pipelines, async (busbar) => {
        const steadyIsUntouched = await watchSteady(busbar);
        await restart(busbar, "restore");
        for (const [call, kind] of Object.entries(CALLS)) {
          const { lastExit, restarts } = await busbar.pipeline(
            call,
            ({ restarts, status }) => restarts > 0 && status === "running",
          );
          assert.deepEqual(
            [restarts, lastExit.signal, lastExit.code, lastExit.culprit],
            [1, signal, code, "faulty 1.0.0"],
            JSON.stringify(lastExit),
          );
          assert.deepEqual([lastExit.component, lastExit.call], [kind, call], lastExit.message);
          assert.match(lastExit.message, message);
          const record = await busbar.log((log) => log.cell === call && log.level === "ERROR");
          assert.deepEqual([record.signal, record.culprit], [signal, "faulty 1.0.0"]);
          assert.equal(record.message, `Cell "${call}" ended: ${lastExit.message}`);
        }
        await steadyIsUntouched();
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("a plugin that hangs in restore or save is ended, blamed and healed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const pipelines = Object.fromEntries(["restore", "save"].map((call) => [call, {
      ...faultyPipeline("processor", { fault: "hang", in: call, once_file: join(folder, call) }),
      timeouts: { create: "1s", stop: "1s" },
    }]));
    await withPipelines(pipelines, async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      await restart(busbar, "restore");
      for (const call of ["restore", "save"]) {
        const { lastExit, restarts } = await busbar.pipeline(
          call,
          ({ restarts, status }) => restarts > 0 && status === "running",
        );
        assert.deepEqual(
          [restarts, lastExit.reason, lastExit.culprit, lastExit.component, lastExit.call],
          [1, "hang", "faulty 1.0.0", "processor", call],
          lastExit.message,
        );
        assert.match(lastExit.message, /call did not return within 1000 ms/);
      }
      await steadyIsUntouched();
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a crash while stopping is blamed, and the rest stops in order", async () => {
  const pipelines = Object.fromEntries(
    Object.entries(STOP_CALLS).map(([call, kind]) => [
      call,
      faultyPipeline(kind, { fault: "segv", in: call }),
    ]),
  );
  const end = await withPipelines(pipelines, async (busbar) => {
    for (const call of Object.keys(STOP_CALLS)) {
      await busbar.pipeline(call, ({ status }) => status === "running");
    }
    return await busbar.stop();
  });
  assert.equal(end.code, 0, end.stderr);
  for (const call of ["stop", "destroy"]) {
    assert.match(
      end.stderr,
      new RegExp(`Cell \\\\"${call}\\\\" ended: plugin faulty 1.0.0 crashed, SIGSEGV`),
    );
  }
});

Deno.test("a crash on a thread of a plugin's own is that plugin's, while another's call is the context", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const thread = (fault: string) => ({
      sources: { numbers: { use: "probe/numbers", config: { burst: 64, payload_size: 64 } } },
      processors: {
        faulty: {
          use: "faulty/processor",
          from: ["numbers"],
          config: { fault, in: "thread", once_file: join(folder, fault), after: 20, delay_ms: 5 },
        },
      },
      reactions: { sink: { use: "probe/collect", from: ["faulty"] } },
    });
    const faults = ["segv", "abort", "exit", "libc"];
    const pipelines = Object.fromEntries(faults.map((fault) => [fault, thread(fault)]));
    await withPipelines(pipelines, async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      for (const fault of faults) {
        const { lastExit } = await busbar.pipeline(fault, ({ restarts }) => restarts > 0);
        const { signal, code } = FAULTS[fault]!;
        assert.deepEqual(
          [lastExit.signal, lastExit.code, lastExit.culprit],
          [signal, code, "faulty 1.0.0"],
          lastExit.message,
        );
      }
      await steadyIsUntouched();
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what a plugin printed before it crashed, without an end of line, is in the log", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const fault = { fault: "print", in: "process", once_file: join(folder, "print") };
    const pipelines = { web: faultyPipeline("processor", fault) };
    await withPipelines(pipelines, async (busbar) => {
      await busbar.pipeline("web", ({ restarts }) => restarts === 1);
      for (const stream of ["stdout", "stderr"]) {
        const record = await busbar.log((log) => log.message === `last words on ${stream}`);
        assert.deepEqual([record.stream, record.pipeline, record.cell], [stream, "web", "web"]);
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
