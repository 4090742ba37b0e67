import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { HostStore } from "../../../src/store/host_store.ts";
import { type Busbar, withBusbar } from "../../support/busbar.ts";
import {
  assertNothingLost,
  counting,
  edition,
  install,
  plain,
  pluginFolder,
  readLines,
  tallying,
} from "./tally.ts";

interface Bench {
  busbar: Busbar;
  plugins: string;
  folder: string;
  files: { web: string; other: string };
  reload: (action?: "reload" | "rollback") => Promise<{ status: number; message: string }>;
}

/** Runs edition 1 in `web`, and `other` without it beside. */
async function withTally(test: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_reload_" });
  try {
    const plugins = await pluginFolder(await edition(folder, 1), folder);
    const files = { web: join(folder, "web.log"), other: join(folder, "other.log") };
    const config = {
      log: { level: "info", format: "json" },
      plugins: { directories: [plugins], watch: { enabled: false } },
      pipelines: {
        web: tallying(files.web, { wake: true, interval_ms: 1, port: freePort() }),
        other: plain(files.other),
      },
    };
    await withBusbar({ config }, async (busbar) => {
      const reload: Bench["reload"] = async (action = "reload") => {
        const path = `/api/v1/plugins/tally/${action}`;
        const { status, body } = await busbar.fetch(path, { method: "POST" });
        return { status, message: body.error?.message ?? "" };
      };
      await counting(busbar, files.web, 1);
      await test({ busbar, plugins, folder, files, reload });
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The source holds a port, which two processes cannot. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("a reload takes the new version, keeps the state, loses nothing and touches no other pipeline", async () => {
  await withTally(async ({ busbar, plugins, folder, files, reload }) => {
    const [web, other] = await busbar.get("/api/v1/pipelines");
    await install(await edition(folder, 2), plugins);
    assert.deepEqual(await reload(), { status: 200, message: "" });
    await counting(busbar, files.web, 2);
    const [after, untouched] = await busbar.get("/api/v1/pipelines");
    assert.notEqual(after.cell.pid, web.cell.pid);
    assert.deepEqual([untouched.cell.pid, untouched.reloads.count], [other.cell.pid, 0]);
    assert.deepEqual([after.status, after.restarts, after.lastExit], ["running", 0, null]);
    assert.deepEqual([after.reloads.count, after.reloads.lastError], [1, null]);
    assert.ok(after.components[0].eventsOut >= web.components[0].eventsOut);
    const tally = (await busbar.get("/api/v1/plugins")).find(({ name }: { name: string }) =>
      name === "tally"
    );
    assert.equal(tally.version, "2.0.0");
    assert.deepEqual(await reload("rollback"), { status: 200, message: "" });
    await counting(busbar, files.web, 1);
    assert.deepEqual(await reload("rollback"), { status: 200, message: "" });
    await counting(busbar, files.web, 2);
    await busbar.stop();
    assertNothingLost(readLines(files.web));
  });
});

Deno.test("a version that fails in create, restore or start, or crashes, leaves the old one running and says why", async () => {
  await withTally(async ({ busbar, plugins, folder, files, reload }) => {
    const { cell } = await busbar.pipeline("web", ({ status }) => status === "running");
    for (const fault of ["create", "restore", "start", "crash"] as const) {
      await install(await edition(folder, 3, fault), plugins);
      const { status, message } = await reload();
      assert.equal(status, 409);
      const call = fault === "crash" ? "start" : fault;
      assert.match(message, new RegExp(`^Cannot reload cell "web" in ${call}: .*tally 3.0.0`));
      if (fault !== "crash") assert.match(message, /web\.tally: .*edition 3 does not want to/);
      const web = await busbar.pipeline("web", ({ status }) => status === "running");
      assert.deepEqual([web.cell.pid, web.restarts, web.reloads.count], [cell.pid, 0, 0]);
      assert.equal(web.reloads.lastError, message);
    }
    await Deno.writeTextFile(join(plugins, "tally/libbusbar_processor_tally.so"), "no library");
    const { status, message } = await reload();
    assert.equal(status, 409);
    assert.match(message, /^Cannot inspect .*libbusbar_processor_tally\.so/);
    await install(await edition(folder, 2), plugins);
    assert.equal((await reload()).status, 200);
    await counting(busbar, files.web, 2);
    await busbar.stop();
    assertNothingLost(readLines(files.web));
  });
});

Deno.test("nothing is lost over 20 reloads under load, a third of which fail", async () => {
  await withTally(async ({ busbar, plugins, folder, files, reload }) => {
    const good = [await edition(folder, 1), await edition(folder, 2)];
    const bad = [
      await edition(folder, 3, "create"),
      await edition(folder, 3, "restore"),
      await edition(folder, 3, "start"),
    ];
    for (let i = 0; i < 20; i++) {
      const fails = i % 3 === 2;
      await install(fails ? bad[Math.floor(i / 3) % 3]! : good[i % 2]!, plugins);
      assert.equal((await reload()).status, fails ? 409 : 200, `reload ${i}`);
    }
    const { reloads, restarts } = await busbar.pipeline(
      "web",
      ({ status }) => status === "running",
    );
    assert.deepEqual([reloads.count, restarts], [14, 0]);
    await busbar.stop();
    const lines = readLines(files.web);
    assertNothingLost(lines);
    assert.deepEqual([...new Set(lines.map(({ edition }) => edition))].sort(), [1, 2]);
  });
});

Deno.test("a cell that is killed while it is replaced loses nothing, and its successor counts on", async () => {
  await withTally(async ({ busbar, plugins, folder, files, reload }) => {
    const editions = [await edition(folder, 2), await edition(folder, 1)];
    for (let i = 0; i < 6; i++) {
      await install(editions[i % 2]!, plugins);
      const reloaded = reload();
      const { cell } = await busbar.pipeline(
        "web",
        ({ status, reloads }) => status === "reloading" || reloads.count > i,
      );
      kill(cell.pid);
      assert.deepEqual(await reloaded, { status: 200, message: "" });
      await busbar.pipeline("web", ({ status }) => status === "running");
    }
    await counting(busbar, files.web, 1);
    await busbar.stop();
    const lines = readLines(files.web);
    // What was not checkpointed comes again, with the same sequence and total.
    for (const { sequence, total } of lines) {
      assert.equal(total - sequence, lines[0]!.total - lines[0]!.sequence);
    }
    const distinct = new Set(lines.map(({ sequence }) => sequence));
    const last = lines.reduce((most, { sequence }) => Math.max(most, sequence), 0);
    assert.equal(distinct.size, last - lines[0]!.sequence + 1);
  });
});

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended already.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

Deno.test("where nothing is watched, reload makes a plugin known that was put there only now", async () => {
  await withTally(async ({ busbar, plugins, folder }) => {
    const call = () => busbar.fetch("/api/v1/plugins/extra/reload", { method: "POST" });
    const missing = await call();
    assert.equal(missing.status, 409);
    assert.match(missing.body.error.message, /^Cannot reload plugin "extra": it is not in "/);
    const { libraryPath } = await buildPlugin({
      folder: join(PROJECT, "tests/fixtures/plugins/tally"),
      outDir: join(folder, "more"),
      overrides: { manifest: { name: "extra" } },
    });
    await Deno.rename(dirname(libraryPath), join(plugins, "extra"));
    assert.equal((await call()).status, 200);
    const names = (await busbar.get("/api/v1/plugins")).map(({ name }: { name: string }) => name);
    assert.ok(names.includes("extra"), names.join());
    assert.equal((await busbar.get("/api/v1/pipelines/web")).reloads.count, 0);
  });
});

Deno.test("a reload that works is none that failed because the store of the host is locked, and can be rolled back", async () => {
  await withTally(async ({ busbar, plugins, folder, files, reload }) => {
    await install(await edition(folder, 2), plugins);
    {
      using other = new DatabaseSync(HostStore.pathIn(join(busbar.folder, "data")));
      other.exec("BEGIN IMMEDIATE");
      assert.deepEqual(await reload(), { status: 200, message: "" });
      const error = await busbar.log(({ level, message }) =>
        level === "ERROR" && message.startsWith("Cannot note which versions")
      );
      assert.match(error.message, /busbar\.db": .*locked/);
    }
    await counting(busbar, files.web, 2);
    assert.deepEqual(await reload("rollback"), { status: 200, message: "" });
    await counting(busbar, files.web, 1);
    await busbar.stop();
    assertNothingLost(readLines(files.web));
  });
});

Deno.test("copies are kept of the version in use and the five before it, not of one that does not run", async () => {
  await withTally(async ({ busbar, plugins, folder, files, reload }) => {
    const copies = () => {
      const home = join(busbar.folder, "data/plugins/tally");
      return [...Deno.readDirSync(home)].map(({ name }) => name).sort();
    };
    const from = await edition(folder, 2);
    for (let i = 0; i < 8; i++) {
      // Another digest, without another build.
      await Deno.writeTextFile(join(from, "note"), `${i}`);
      await install(from, plugins);
      assert.equal((await reload()).status, 200);
    }
    const kept = copies();
    assert.equal(kept.length, 6, kept.join());
    await install(await edition(folder, 3, "start"), plugins);
    assert.equal((await reload()).status, 409);
    assert.deepEqual(copies(), kept);
    assert.deepEqual(await reload("rollback"), { status: 200, message: "" });
    await counting(busbar, files.web, 2);
  });
});
