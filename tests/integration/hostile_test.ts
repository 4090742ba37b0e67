/** What a malicious plugin can do to busbar, and what it cannot: docs/security-plugins.md says the same in words. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { fixture, PLUGINS } from "../fixtures/build.ts";
import { type Busbar, runBusbar, waitFor, withBusbar } from "../support/busbar.ts";
import { gone, steadyPipeline, watchSteady } from "./cell/config.ts";

const FIXTURE = new URL("../fixtures/plugins/hostile", import.meta.url).pathname;

interface Deed {
  /** Settings of the component besides `deed`. */
  config?: Record<string, string>;
  /** Settings of the pipeline. */
  settings?: Record<string, unknown>;
  /** Whether it makes so much noise that it has a busbar of its own. */
  loud?: true;
  /** What happens; then the host must live, and `steady` go on. */
  happens: (busbar: Busbar, deed: string) => Promise<void>;
}

/** Runs busbar with a pipeline for each deed, and `steady` beside them, in cells of their own. */
async function withDeeds(
  deeds: Record<string, { config?: Deed["config"]; settings?: Deed["settings"] }>,
  action: (busbar: Busbar, plugins: string) => Promise<void>,
): Promise<void> {
  await fixture("probe");
  const folder = await Deno.makeTempDir({ prefix: "busbar_hostile_" });
  try {
    await buildPlugin({ folder: FIXTURE, outDir: folder });
    const data = join(folder, "data");
    const pipelines = Object.entries(deeds).map(([deed, { config = {}, settings = {} }]) => [deed, {
      sources: { evil: { use: "hostile/deed", config: { deed, host_directory: data, ...config } } },
      reactions: { gone: { use: "builtin/discard", from: ["evil"] } },
      restart: { initial: "10ms", max: "10ms", max_restarts: 1 },
      ...settings,
    }]);
    const config = {
      data_dir: data,
      log: { format: "json" },
      plugins: { directories: [PLUGINS, folder] },
      pipelines: { steady: steadyPipeline(), ...Object.fromEntries(pipelines) },
    };
    await withBusbar({ config, env: { SECRET: "of the host" } }, async (busbar) => {
      await waitFor(() => busbar.address, { what: "its address", busbar });
      await action(busbar, folder);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The cell is ended for this reason, started once more, then given up; the log names it. */
function isEnded(reason: string, message: RegExp): Deed["happens"] {
  return async (busbar, deed) => {
    const { lastExit } = await busbar.pipeline(deed, ({ status }) => status === "failed");
    assert.equal(lastExit.reason, reason, JSON.stringify(lastExit));
    assert.match(lastExit.message, message);
    const ends = busbar.logs.filter(({ level, cell, message }) =>
      level === "ERROR" && cell === deed && message.startsWith(`Cell "${deed}" ended: `)
    );
    assert.equal(ends.length, 2, "each end is in the log, with the cell's name");
  };
}

/** Stops the pipeline as an operator would. */
async function stopPipeline(busbar: Busbar, deed: string): Promise<void> {
  const stop = `/api/v1/pipelines/${deed}/stop`;
  assert.equal((await busbar.fetch(stop, { method: "POST" })).status, 200);
  await busbar.pipeline(deed, ({ status }) => status === "stopped");
}

async function pidOf(busbar: Busbar, deed: string): Promise<number> {
  const running = await busbar.pipeline(deed, ({ status }) => status === "running");
  return running.cell.pid;
}

const DEEDS: Record<string, Deed> = {
  // It reaches what the host's user may reach, but is given no environment.
  "look-around": {
    happens: async (busbar) => {
      const last = /^own environment has SECRET: /;
      const { message } = await busbar.log(({ message }) => last.test(message));
      assert.ok(!message.endsWith("yes"), message);
      const reached = busbar.logs.filter(({ message }) => message.endsWith(": yes"))
        .map(({ message }) => message.split(": ")[0]);
      for (
        const what of [
          "environment of the host",
          "descriptors of the host",
          "signals to the host",
          "store of the host",
          "store of another pipeline",
          "admin socket",
          // Not its memory: whether that can be written depends on kernel.yama.ptrace_scope.
        ]
      ) assert.ok(reached.includes(what), `${what}: ${reached}`);
    },
  },
  scribble: { happens: isEnded("exit", /ended with code 3/) },
  "scribble-on": {
    loud: true,
    happens: async (busbar, deed) => {
      await busbar.log(({ cell, message }) => cell === deed && /^Lost \d+ log/.test(message));
      await stopPipeline(busbar, deed);
    },
  },
  "forge-logs": {
    happens: async (busbar, deed) => {
      const forged = await busbar.log(({ message, cell }) =>
        cell === deed && message.startsWith("forged")
      );
      assert.equal(forged.level, "FATAL");
      assert.equal(forged.cell, deed, "which cell spoke cannot be forged");
      const lines = busbar.stderr.split("\n").filter((line) => line.includes("a second line"));
      assert.ok(lines.every((line) => !line.startsWith('{"level"')), "no line of its own");
      assert.ok(!busbar.stderr.includes("\x1b"), "nothing that a terminal obeys");
    },
  },
  garbage: { happens: isEnded("protocol", /^Cannot read a message: its length is \d+/) },
  forge: {
    config: { neighbour: "steady" },
    // What is not its own is passed over: `steady` is looked at after each deed.
    happens: async (busbar, deed) => void await pidOf(busbar, deed),
  },
  "flood-messages": {
    loud: true,
    happens: async (busbar, deed) => {
      await waitFor(() => busbar.stdout.includes("flooded\nflooded\n"), { what: "output", busbar });
      await stopPipeline(busbar, deed);
    },
  },
  "flood-output": {
    loud: true,
    happens: async (busbar, deed) => {
      await busbar.log(({ cell, stream }) => cell === deed && stream === "stdout");
      const { length } = busbar.stderr;
      await waitFor(() => busbar.stderr.length > 2 * length, { what: "more output", busbar });
      await stopPipeline(busbar, deed);
    },
  },
  "close-files": { happens: isEnded("protocol", /closed its connection and went on/) },
  exec: { happens: isEnded("protocol", /closed its connection and went on, while source evil/) },
  memory: {
    settings: { limits: { memory: "300MiB" } },
    happens: isEnded("limit", /^plugin hostile 1.0.0: memory limit exceeded: .* of 300 MiB/),
  },
  children: {
    happens: async (busbar, deed) => {
      const child = async (what: string) => {
        const said = await busbar.log(({ cell, message }) =>
          cell === deed && message.startsWith(what)
        );
        return Number(said.message.split(" ")[1]);
      };
      const [stayed, left] = [await child("stayed: "), await child("left: ")];
      const pid = await pidOf(busbar, deed);
      try {
        // A child has all open files of the cell, its socket among them, so the end of that takes a while.
        Deno.kill(pid, "SIGKILL");
        await gone(pid);
        await gone(stayed);
        assert.doesNotThrow(() => Deno.kill(left, "SIGCONT"), "it has left the process group");
      } finally {
        Deno.kill(left, "SIGKILL");
      }
      await busbar.pipeline(deed, ({ restarts, status }) => restarts > 0 && status === "running");
      const again = await waitFor(
        () =>
          busbar.logs.filter(({ cell, message }) => cell === deed && message.startsWith("left"))[1],
        { what: "the second child", busbar },
      );
      Deno.kill(Number(again.message.split(" ")[1]), "SIGKILL");
      await stopPipeline(busbar, deed);
    },
  },
  "hold-on": {
    settings: { shutdown_timeout: "1s" },
    happens: async (busbar, deed) => {
      await pidOf(busbar, deed);
      await stopPipeline(busbar, deed);
      await busbar.log(({ cell, message }) =>
        cell === deed &&
        /did not stop within 1000 ms, while source evil.deed was in stop/.test(message)
      );
    },
  },
  freeze: {
    settings: { shutdown_timeout: "1s" },
    happens: async (busbar, deed) => {
      const pid = await pidOf(busbar, deed);
      await waitFor(
        async () => /^State:\s+T/m.test(await Deno.readTextFile(`/proc/${pid}/status`)),
        {
          what: "its stop",
          busbar,
        },
      );
      await stopPipeline(busbar, deed);
    },
  },
};

const quiet = Object.entries(DEEDS).filter(([, { loud }]) => !loud);
const loud = Object.entries(DEEDS).filter(([, { loud }]) => loud);

for (const deeds of [quiet, ...loud.map((deed) => [deed])]) {
  const names = deeds.length === 1 ? `"${deeds[0]![0]}"` : "whatever it does";
  Deno.test(`hostile: ${names} harms a plugin's own pipeline only`, (t) =>
    withDeeds(Object.fromEntries(deeds), async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      for (const [deed, { happens }] of deeds) {
        await t.step(deed, async () => {
          await happens(busbar, deed);
          await steadyIsUntouched();
        });
      }
      assert.equal((await busbar.fetch("/healthz")).status, 200);
      assert.equal((await busbar.stop()).code, 0);
    }));
}

Deno.test("hostile: a plugin can kill the host, and all cells end with it", () =>
  withDeeds({ "kill-host": {} }, async (busbar, folder) => {
    const cells = [await pidOf(busbar, "steady"), await pidOf(busbar, "kill-host")];
    await Deno.writeTextFile(join(folder, "data/now"), "");
    assert.equal((await busbar.exited()).signal, "SIGKILL");
    for (const pid of cells) await gone(pid);
  }));

Deno.test("hostile: inspection runs nothing of it", () =>
  withDeeds({}, async (_busbar, plugins) => {
    const { code, stdout } = await runBusbar(["plugin", "inspect", join(plugins, "hostile")]);
    assert.equal(code, 0);
    assert.match(stdout, /Attacks the process that it runs in/);
  }));
