import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { checkState } from "../../../src/host/state_check.ts";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";
import { type Busbar, waitFor, withBusbar } from "../../support/busbar.ts";
import { execute, serviceConfig } from "../../support/services.ts";

const SOURCES = join(PROJECT, "tests/fixtures/plugins/callee");

/** The plugin in another version, whose service fails in `fault` by default. */
async function build(folder: string, version: string, fault = "none"): Promise<string> {
  const manifest = JSON.parse(await Deno.readTextFile(join(SOURCES, "plugin.json")));
  manifest.components[0].config_schema.properties.fault.default = fault;
  const { libraryPath } = await buildPlugin({
    folder: SOURCES,
    outDir: join(folder, version),
    overrides: { manifest: { version, components: manifest.components } },
  });
  return dirname(libraryPath);
}

async function install(from: string, plugins: string): Promise<void> {
  const target = join(plugins, "callee");
  await Deno.remove(target, { recursive: true }).catch(() => {});
  await Deno.mkdir(target, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(join(from, name), join(target, name));
  }
}

async function count(busbar: Busbar): Promise<number> {
  const { status, body } = await execute(busbar, "count");
  assert.equal(status, 200, JSON.stringify(body));
  return Number(body.output);
}

/** Counts without a pause while `action` does something; fails unless every call was answered and counted once. */
async function whileCounting(
  busbar: Busbar,
  action: (more: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const counts: number[] = [await count(busbar)];
  let running = true;
  const callers = Array.from({ length: 6 }, async () => {
    while (running) counts.push(await count(busbar));
  });
  const more = async () => {
    const { length } = counts;
    await waitFor(() => counts.length > length + 12, { what: "more calls", busbar });
  };
  // A call that fails ends the test, whatever it waits for.
  await Promise.race([action(more), Promise.all(callers)]);
  running = false;
  await Promise.all(callers);
  const sorted = counts.toSorted((a, b) => a - b);
  assert.deepEqual(sorted, sorted.map((_, i) => sorted[0]! + i));
}

/** What the service has saved in a data folder. */
function savedCount(dataDirectory: string): number | undefined {
  const store = PipelineStore.open(join(dataDirectory, "services/act/pipeline.db"));
  try {
    const [state] = store.checkpoint().states;
    return state &&
      Number(new DataView(state.data.buffer, state.data.byteOffset).getBigUint64(0, true));
  } finally {
    store.close();
  }
}

async function reload(busbar: Busbar, action = "reload"): Promise<[number, string]> {
  const path = `/api/v1/plugins/callee/${action}`;
  const { status, body } = await busbar.fetch(path, { method: "POST" });
  return [status, body.error?.message ?? body.version];
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_services_" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a service hands its state over when its plugin is reloaded and rolled back", async () => {
  await inFolder(async (folder) => {
    const plugins = join(folder, "plugins");
    await install(await build(folder, "1.0.0"), plugins);
    const rest = { plugins: { directories: [plugins], watch: { enabled: false } } };
    await withBusbar({ config: serviceConfig({}, rest) }, async (busbar) => {
      await whileCounting(busbar, async (more) => {
        await more();
        await install(await build(folder, "2.0.0"), plugins);
        assert.deepEqual(await reload(busbar), [200, "2.0.0"]);
        await more();
        await install(await build(folder, "3.0.0", "restore"), plugins);
        const [status, message] = await reload(busbar);
        assert.equal(status, 409);
        assert.match(message, /in restore: .*It fails in restore/);
        await more();
        assert.deepEqual(await reload(busbar, "rollback"), [200, "1.0.0"]);
        await more();
      });
      const [{ restarts, reloads }] = await busbar.get("/api/v1/services");
      assert.deepEqual([restarts, reloads.count], [0, 2]);
    });
  });
});

Deno.test("a service keeps its state when its settings change, and when they cannot be used", async () => {
  await withBusbar({ config: serviceConfig() }, async (busbar) => {
    const file = join(busbar.folder, "busbar.yaml");
    const text = await Deno.readTextFile(file);
    const change = async (config: string) => {
      await Deno.writeTextFile(
        file,
        text.replace("use: callee/act", `use: callee/act\n    config: ${config}`),
      );
      busbar.kill("SIGHUP");
    };
    await whileCounting(busbar, async (more) => {
      await more();
      await change("{ greeting: servus }");
      await waitFor(async () => (await execute(busbar, "greet")).body.output === "servus", {
        what: "the new settings",
        busbar,
      });
      await more();
      for (const fault of ["create", "restore", "start"]) {
        await change(`{ greeting: ahoj, fault: ${fault} }`);
        await busbar.log(({ message }) =>
          new RegExp(`Cannot reload .*It fails in ${fault}`).test(message)
        );
        await more();
        assert.equal((await execute(busbar, "greet")).body.output, "servus");
      }
    });
  });
});

Deno.test("a call that lasts longer than a reload waits is made again in the new process", async () => {
  await inFolder(async (folder) => {
    const data = join(folder, "data");
    const config = serviceConfig({ shutdown_timeout: "200ms" }, { data_dir: data });
    await withBusbar({ config }, async (busbar) => {
      for (const expected of [1, 2, 3]) assert.equal(await count(busbar), expected);
      await waitFor(() => savedCount(data) === 3, { what: "a save", busbar });
      const { cell } = await busbar.get("/api/v1/services/act");
      const long = execute(busbar, "sleep 1500");
      const file = join(busbar.folder, "busbar.yaml");
      const text = await Deno.readTextFile(file);
      await Deno.writeTextFile(
        file,
        text.replace("use: callee/act", "use: callee/act\n    config: { greeting: servus }"),
      );
      busbar.kill("SIGHUP");
      await waitFor(async () => {
        const { cell: now } = await busbar.get("/api/v1/services/act");
        return now !== null && now.pid !== cell.pid;
      }, { what: "the new process", busbar });
      assert.equal(await count(busbar), 4);
      assert.equal((await execute(busbar, "greet")).body.output, "servus");
      const { status, body } = await long;
      assert.deepEqual([status, body.output], [200, "slept"]);
    });
  });
});

Deno.test("a service has its state again after a crash and after a restart of the host", async () => {
  await inFolder(async (folder) => {
    const data = join(folder, "data");
    const config = serviceConfig({}, { data_dir: data });
    await withBusbar({ config }, async (busbar) => {
      for (const expected of [1, 2, 3]) assert.equal(await count(busbar), expected);
      await waitFor(() => savedCount(data) === 3, { what: "a save", busbar });
      assert.equal((await execute(busbar, "crash")).status, 502);
      assert.equal(await count(busbar), 4);
    });
    assert.equal(savedCount(data), 4);
    await withBusbar({ config }, async (busbar) => {
      assert.equal(await count(busbar), 5);
    });
    assert.deepEqual((await checkState(data)).problems, []);
    const path = join(data, "services/act/pipeline.db");
    const database = new DatabaseSync(path);
    database.exec("UPDATE states SET data = x'00'");
    database.close();
    const [problem, ...others] = (await checkState(data)).problems;
    assert.deepEqual([problem!.path, problem!.corrupt, others], [path, true, []]);
    assert.match(problem!.message, /state of component "act@callee" is damaged/);
  });
});

Deno.test("a service that cannot be saved goes on", async () => {
  await withBusbar({ config: serviceConfig({ config: { fault: "save" } }) }, async (busbar) => {
    assert.equal(await count(busbar), 1);
    const { level } = await busbar.log(({ message }) => message.startsWith("Save failed"));
    assert.equal(level, "ERROR");
    assert.equal(await count(busbar), 2);
  });
});
