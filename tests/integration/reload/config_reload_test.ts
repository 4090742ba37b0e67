import assert from "node:assert/strict";
import { join } from "node:path";
import { type Busbar, waitFor, withBusbar, writeConfig } from "../../support/busbar.ts";
import { edition, plain, pluginFolder, tallying } from "./tally.ts";

type Pipelines = Record<string, unknown>;

interface Bench {
  busbar: Busbar;
  folder: string;
  /** Writes the configuration anew, and waits for the host's word on it. */
  change: (pipelines: Pipelines, more?: Record<string, unknown>) => Promise<string>;
  /** Pids by pipeline. */
  pids: () => Promise<Record<string, number | undefined>>;
}

async function withConfig(
  pipelines: (folder: string) => Pipelines,
  test: (bench: Bench) => Promise<void>,
  { watch = false }: { watch?: boolean } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_config_" });
  try {
    const directory = await pluginFolder(await edition(folder, 1), folder);
    const plugins = {
      directories: [directory],
      watch: watch ? { interval: "1h", debounce: "50ms" } : { enabled: false },
    };
    const log = { level: "info", format: "json" };
    await withBusbar({ config: { log, plugins, pipelines: pipelines(folder) } }, async (busbar) => {
      for (const id of Object.keys(pipelines(folder))) {
        await busbar.pipeline(id, ({ status }) => status === "running");
      }
      const words = () =>
        busbar.logs.filter(({ message }) =>
          /^Configuration reloaded|^Cannot reload the conf/.test(message)
        ).map(({ message }) => message);
      const change: Bench["change"] = async (pipelines, more = {}) => {
        const before = words().length;
        await writeConfig(busbar.folder, { log, plugins, pipelines, ...more });
        if (!watch) busbar.kill("SIGHUP");
        return await waitFor(() => words()[before], { what: "the reload", busbar });
      };
      const pids: Bench["pids"] = async () => {
        const all: { id: string; cell: { pid: number } | null }[] = await busbar.get(
          "/api/v1/pipelines",
        );
        return Object.fromEntries(all.map(({ id, cell }) => [id, cell?.pid]));
      };
      await test({ busbar, folder, change, pids });
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const file = (folder: string, name: string) => join(folder, `${name}.log`);
const two = (folder: string) => ({
  a: plain(file(folder, "a")),
  b: plain(file(folder, "b")),
});

Deno.test("SIGHUP: only cells whose plan has changed are touched", async () => {
  await withConfig(two, async ({ busbar, folder, change, pids }) => {
    const before = await pids();
    const { a, b } = two(folder);
    assert.equal(await change({ a, b }), "Configuration reloaded: no cell has changed");
    assert.deepEqual(await pids(), before);

    const changed = { ...b, checkpoint_interval: "200ms" };
    const c = plain(file(folder, "c"));
    assert.equal(await change({ a, b: changed, c }), "Configuration reloaded: added c; changed b");
    const after = await pids();
    assert.deepEqual([after.a, Object.keys(after)], [before.a, ["a", "b", "c"]]);
    assert.notEqual(after.b, before.b);
    assert.notEqual(after.c, undefined);
    assert.equal((await busbar.get("/api/v1/pipelines/c")).reloads.count, 0);
    assert.equal(
      (await busbar.pipeline("b", ({ status }) => status === "running")).reloads.count,
      1,
    );

    assert.equal(await change({ a, c }), "Configuration reloaded: removed b");
    assert.deepEqual(await pids(), { a: before.a, c: after.c });
  });
});

Deno.test("a configuration that is broken, or fits no plugin, changes nothing and is reported", async () => {
  await withConfig(two, async ({ busbar, folder, change, pids }) => {
    const before = await pids();
    const { a, b } = two(folder);
    assert.match(
      await change({ a, b: { ...b, nonsense: 1 } }),
      /^Cannot reload the configuration, the one before runs on: .*nonsense/s,
    );
    const unknown = { ...b, reactions: { sink: { use: "nobody/nothing", from: ["numbers"] } } };
    assert.match(await change({ a: unknown }), /^Cannot reload the configuration.*nobody/s);
    assert.deepEqual(await pids(), before);
    const reports = busbar.logs.filter(({ message }) => message.includes("nonsense"));
    assert.ok(reports.some(({ config }) => config === "pipelines.b.nonsense"));
  });
});

Deno.test("when a part fails, the whole is taken back: added, removed and changed", async () => {
  await withConfig(two, async ({ busbar, folder, change, pids }) => {
    const before = await pids();
    const { a } = two(folder);
    const nowhere = plain(join(folder, "no-such-folder", "x"));
    const word = await change({ a: { ...a, checkpoint_interval: "200ms" }, x: nowhere });
    assert.match(word, /Cannot start cell "x" in start: .*x\.sink: Cannot open/);
    for (const id of ["a", "b"]) await busbar.pipeline(id, ({ status }) => status === "running");
    const after = await pids();
    assert.deepEqual(Object.keys(after), Object.keys(before));
    assert.equal((await busbar.fetch("/api/v1/pipelines/x")).status, 404);
    assert.equal(
      await change({ a, b: two(folder).b }),
      "Configuration reloaded: no cell has changed",
    );
  });
});

Deno.test("a pipeline that moves to another cell never runs in both", async () => {
  const shared = (folder: string, cell: string) => ({
    ...two(folder),
    c: { ...tallying(file(folder, "c"), { wake: true, interval_ms: 5 }), cell },
  });
  await withConfig((folder) => shared(folder, "a"), async ({ busbar, folder, change, pids }) => {
    const before = await pids();
    assert.equal(before.a, before.c);
    await change(shared(folder, "b"));
    for (const id of ["a", "b", "c"]) {
      await busbar.pipeline(id, ({ status }) => status === "running");
    }
    const after = await pids();
    assert.equal(after.b, after.c);
    assert.notEqual(after.a, after.c);
  });
});

Deno.test("the file is watched; what only a start reads is named", async () => {
  await withConfig(two, async ({ busbar, folder, change }) => {
    const { a } = two(folder);
    const port = Number(new URL(busbar.address!).port);
    const more = { server: { port: port === 1 ? 2 : port } };
    assert.equal(await change({ a }, more), "Configuration reloaded: removed b");
    await busbar.log(({ level, setting }) => level === "WARN" && setting === "server");
  }, { watch: true });
});

Deno.test("warnings of a configuration that is taken are logged", async () => {
  await withConfig(two, async ({ busbar, folder, change }) => {
    const c = {
      sources: { s: { use: "probe/chatty" } },
      reactions: { r: { use: "builtin/discard", from: ["s"] } },
    };
    assert.match(await change({ ...two(folder), c }), /^Configuration reloaded: added c/);
    const { level } = await busbar.log(({ message }) =>
      message.includes('Source "s" (probe/chatty) of pipeline "c" cannot replay')
    );
    assert.equal(level, "WARN");
  });
});
