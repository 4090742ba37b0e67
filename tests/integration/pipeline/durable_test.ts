import assert from "node:assert/strict";
import { join } from "node:path";
import { PLUGINS } from "../../fixtures/build.ts";
import { type Busbar, withBusbar } from "../../support/busbar.ts";
import { PROJECT } from "../../support/c_program.ts";
import {
  collect,
  collected,
  look,
  numbers,
  sequences,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

Deno.test("an event that keeps killing cells ends among the dead letters, and its neighbours do not", () =>
  withFolder(async (folder) => {
    const file = join(folder, "out");
    const web = {
      sources: { numbers: numbers(200, { idle: true }) },
      reactions: { out: collect(["numbers"], { file, crash_sequence: 77 }) },
      batch: { max_events: 16 },
      checkpoint_interval: "10ms",
      restart: { initial: "1ms", max: "1ms" },
    };
    await withPipelines({ web }, async (busbar) => {
      const { restarts } = await busbar.pipeline(
        "web",
        ({ components }) => components[1].dropped === 1,
      );
      assert.equal(restarts, 3, "with its batch, alone, and alone once more");
      const store = join(busbar.folder, "data/pipelines/web/pipeline.db");
      await busbar.pipeline(
        "web",
        () => look(store, (store) => store.checkpoint().marks[0]?.sequence === 200),
      );
      const letters = look(store, (store) => store.letters({}, { limit: 10, offset: 0 }));
      assert.deepEqual(
        letters.map(({ component, code, sequence }) => [component, code, sequence]),
        [["out", "Poison", 77]],
      );
    });
    const found = new Set(sequences(await collected(file)));
    assert.deepEqual([...found].sort((a, b) => a - b), upTo(200).filter((n) => n !== 77));
  }));

Deno.test("after the host was killed everything goes on from the last checkpoint, with its state", () =>
  withFolder(async (folder) => {
    const file = join(folder, "out");
    const config = (count: number) => ({
      data_dir: join(folder, "data"),
      plugins: { directories: [PLUGINS] },
      pipelines: {
        web: {
          sources: { numbers: numbers(count, { burst: 8, idle: true }) },
          processors: { total: { use: "probe/count", from: ["numbers"] } },
          reactions: {
            out: collect(["numbers"], { file, slow_ms: 1 }),
            totals: collect(["total"], { file: join(folder, "totals") }),
          },
          batch: { max_events: 8 },
          checkpoint_interval: "10ms",
        },
      },
    });
    for (const crash of [1, 2]) {
      await withBusbar({ config: config(4000) }, async (busbar) => {
        await busbar.pipeline("web", ({ components }) => components[2].eventsIn > 300 * crash);
        busbar.kill("SIGKILL");
        await busbar.exited();
      });
    }
    await withBusbar({ config: config(4000) }, async (busbar) => {
      const store = join(folder, "data/pipelines/web/pipeline.db");
      await busbar.pipeline(
        "web",
        () => look(store, (store) => store.checkpoint().marks[0]?.sequence === 4000),
      );
    });
    const all = sequences(await collected(file));
    assert.deepEqual([...new Set(all)].sort((a, b) => a - b), upTo(4000));
    const totals = await collected(join(folder, "totals"));
    assert.match(totals.at(-1)!.payload, /\b4000\b/, "every event was counted once");
  }));

Deno.test("gzip-archive holds each event exactly once after crashes of cells and of the host", () =>
  withFolder(async (folder) => {
    const archive = join(folder, "archive");
    const last = 3000;
    const config = {
      data_dir: join(folder, "data"),
      plugins: { directories: [PLUGINS, join(PROJECT, "dist/plugins")] },
      pipelines: {
        web: {
          sources: { numbers: numbers(last, { burst: 8, idle: true }) },
          reactions: {
            archive: {
              use: "gzip-archive/archive",
              from: ["numbers"],
              config: { directory: archive },
            },
            // What holds the pipeline back, so that there is something to crash.
            slow: collect(["numbers"], { slow_ms: 1 }),
          },
          batch: { max_events: 8 },
          checkpoint_interval: "10ms",
          restart: { initial: "1ms", max: "1ms", max_restarts: 100 },
        },
      },
    };
    const at = (busbar: Busbar, events: number, restarts: number) =>
      busbar.pipeline(
        "web",
        (now) =>
          now.status === "running" && now.restarts === restarts &&
          now.components[1].eventsIn >= events,
      );
    await withBusbar({ config }, async (busbar) => {
      for (const signal of ["SIGSEGV", "SIGKILL", "SIGABRT"] as const) {
        const crashes = ["SIGSEGV", "SIGKILL", "SIGABRT"].indexOf(signal);
        const { cell } = await at(busbar, 300 * (crashes + 1), crashes);
        Deno.kill(cell.pid, signal);
      }
      await at(busbar, 1400, 3);
      busbar.kill("SIGKILL");
      await busbar.exited();
    });
    await withBusbar({ config }, async (busbar) => {
      const store = join(folder, "data/pipelines/web/pipeline.db");
      await busbar.pipeline(
        "web",
        () => look(store, (store) => store.checkpoint().marks[0]?.sequence === last),
      );
    });
    const files = [...Deno.readDirSync(archive)].map(({ name }) => name).filter((name) =>
      name.endsWith(".gz")
    );
    const { stdout } = await new Deno.Command("gunzip", {
      args: ["-c", ...files.sort()],
      cwd: archive,
    }).output();
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) =>
      parseInt(line)
    );
    assert.deepEqual(lines, upTo(last));
  }));

Deno.test("a save that does not succeed costs a checkpoint, a fatal one the cell", () =>
  withFolder(async (folder) => {
    const web = (fault: string) => ({
      sources: { numbers: numbers(100, { idle: true }) },
      processors: {
        bad: {
          use: "faulty/processor",
          from: ["numbers"],
          config: { fault, in: "save", once_file: join(folder, fault) },
        },
      },
      reactions: { out: collect(["bad"], { file: join(folder, `${fault}_out`) }) },
      checkpoint_interval: "10ms",
      shutdown_timeout: "1s",
      restart: { initial: "1ms", max: "1ms" },
    });
    await withPipelines({ failed: web("failed"), fatal: web("fatal") }, async (busbar) => {
      const { lastExit } = await busbar.pipeline("fatal", ({ restarts }) => restarts === 1);
      assert.match(lastExit.message, /faulty .* failed in save of fatal\.bad: /);
      await busbar.log(({ message, pipeline }) =>
        message.startsWith("Save failed") && pipeline === "failed"
      );
      const reached = (id: string) =>
        look(
          join(busbar.folder, `data/pipelines/${id}/pipeline.db`),
          (store) => store.checkpoint().marks[0]?.sequence,
        );
      await busbar.pipeline("fatal", () => reached("fatal") === 100);
      // There it fails as long as the cell lives.
      assert.equal(reached("failed"), undefined);
      assert.equal((await busbar.get("/api/v1/pipelines/failed")).restarts, 0);
    });
  }));
