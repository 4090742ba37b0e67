import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { lockDataDirectory } from "../../src/store/host_lock.ts";
import { HostStore } from "../../src/store/host_store.ts";
import { counting, edition, install, pluginFolder, tallying } from "../integration/reload/tally.ts";
import { fixture } from "../fixtures/build.ts";
import { runBusbar, waitFor } from "../support/busbar.ts";
import { letters, pipeline, runs, Site, withSite } from "./site.ts";

Deno.test("pipelines are stopped, started, paused, resumed and restarted; what was wanted outlives the host", () =>
  withSite(async (site) => {
    const pipelines = {
      web: pipeline(),
      logs: pipeline(),
      off: pipeline(undefined, { enabled: false }),
    };
    await site.host(pipelines, async (busbar) => {
      const { cell: { pid } } = await busbar.pipeline("web", runs);
      const other = await busbar.pipeline("logs", runs);
      assert.deepEqual(await site.json("pipeline", "stop", "web"), {
        id: "web",
        status: "stopped",
        desired: "stopped",
      });
      assert.equal((await busbar.pipeline("web", () => true)).cell, null);
      assert.equal(
        (await busbar.fetch("/readyz")).status,
        200,
        "what is stopped on purpose is no fault",
      );
      await site.json("pipeline", "start", "web");
      const started = await busbar.pipeline("web", runs);
      assert.notEqual(started.cell.pid, pid);

      assert.equal((await site.json("pipeline", "pause", "web")).status, "paused");
      const paused = await busbar.pipeline("web", () => true);
      assert.deepEqual([paused.status, paused.cell.pid], ["paused", started.cell.pid]);
      assert.equal((await site.json("pipeline", "resume", "web")).desired, "running");
      const before = (await busbar.pipeline("web", runs)).components[1].eventsIn;
      const after = await busbar.pipeline(
        "web",
        ({ components }) => components[1].eventsIn > before,
      );
      assert.equal(after.cell.pid, started.cell.pid);

      await site.json("pipeline", "restart", "web");
      await busbar.pipeline(
        "web",
        ({ cell, status }) => status === "running" && cell.pid !== started.cell.pid,
      );
      assert.equal((await busbar.pipeline("logs", runs)).cell.pid, other.cell.pid, "not touched");

      assert.match(await site.failure("pipeline", "stop", "nix"), /Unknown pipeline "nix"/);
      assert.match(await site.failure("pipeline", "start", "off"), /the configuration disables it/);
      assert.match(await site.failure("pipeline", "resume", "web"), /it is running/);
      const { stdout } = await site.run("pipeline", "list");
      assert.match(stdout, /^web +running +running +\d+ +\d+$/m);

      await site.json("pipeline", "stop", "web");
      await site.json("pipeline", "pause", "logs");
      busbar.kill("SIGKILL");
    });
    await site.host(pipelines, async (busbar) => {
      const states = (await busbar.get("/api/v1/pipelines"))
        .map(({ id, status, desired }: Record<string, string>) => [id, status, desired]);
      assert.deepEqual(states.slice(0, 2), [["web", "stopped", "stopped"], [
        "logs",
        "stopped",
        "paused",
      ]]);
      await busbar.log(({ message }) =>
        message ===
          'Pipeline "logs" is not started: it was paused; "busbar pipeline start logs" starts it'
      );
      await site.json("pipeline", "resume", "logs");
      await busbar.pipeline("logs", runs);
      const [last, first] = await busbar.get("/api/v1/audit?limit=2&offset=0");
      assert.deepEqual([
        last.action,
        last.who,
        last.before.desired,
        last.after.desired,
        last.result,
      ], [
        "pipeline.resume",
        "admin socket",
        "paused",
        "running",
        "ok",
      ]);
      assert.deepEqual([first.action, first.target], ["pipeline.pause", "logs"]);
    });
  }));

Deno.test("a pipeline that has failed or completed is started anew; one that shares its cell goes with the others", () =>
  withSite(async (site) => {
    const once = { sources: { s: { use: "builtin/generate", config: { count: 10 } } } };
    const pipelines = {
      once: { ...pipeline(), ...once },
      a: pipeline(undefined, { cell: "both" }),
      b: pipeline(undefined, { cell: "both" }),
    };
    await site.host(pipelines, async (busbar) => {
      await busbar.pipeline("once", ({ status }) => status === "completed");
      await site.json("pipeline", "start", "once");
      await busbar.pipeline("once", ({ status }) => status === "completed");
      await busbar.pipeline("b", runs);
      await site.json("pipeline", "stop", "a");
      const b = await busbar.pipeline("b", () => true);
      assert.deepEqual([b.status, b.desired], ["stopped", "stopped"]);
      await site.json("pipeline", "start", "b");
      await busbar.pipeline("a", runs);
    });
  }));

Deno.test("disable stops the pipelines that use a plugin, also for later hosts, until enable; with a host or without", () =>
  withSite(async (site) => {
    await fixture("probe");
    const pipelines = {
      one: pipeline("probe/numbers", { cell: "both" }),
      mate: pipeline(undefined, { cell: "both" }),
      two: pipeline(),
    };
    await site.host(pipelines, async (busbar) => {
      const { cell: { pid } } = await busbar.pipeline("two", runs);
      await busbar.pipeline("one", runs);
      const outcome = await site.json("disable", "probe");
      assert.deepEqual([outcome.enabled, outcome.pipelines], [false, ["one", "mate"]]);
      assert.match(outcome.digest, /^[0-9a-f]{64}$/);
      const one = await busbar.pipeline("one", () => true);
      assert.deepEqual([one.status, one.desired, one.cell], ["stopped", "stopped", null]);
      const plugins = await busbar.get("/api/v1/plugins");
      const probe = plugins.find(({ name }: { name: string }) => name === "probe");
      assert.equal(probe.enabled, false);
      assert.match(await site.failure("pipeline", "start", "one"), /plugin "probe" is disabled/);
      assert.match(await site.failure("pipeline", "start", "mate"), /plugin "probe" is disabled/);
      assert.equal((await busbar.fetch("/readyz")).status, 200);
      assert.match(await site.failure("disable", "builtin"), /it is part of busbar/);
      assert.match(await site.failure("disable", "nix"), /Unknown plugin "nix"/);
      assert.equal((await busbar.pipeline("two", runs)).cell.pid, pid, "not touched");
    });
    await site.host(pipelines, async (busbar) => {
      await busbar.pipeline("two", runs);
      assert.equal((await busbar.pipeline("one", () => true)).status, "stopped");
      await site.json("enable", "probe");
      await busbar.pipeline("one", runs);
    });
    assert.equal((await site.json("disable", "probe")).enabled, false);
    await site.host(pipelines, async (busbar) => {
      await busbar.pipeline("two", runs);
      assert.equal((await busbar.pipeline("one", () => true)).status, "stopped");
    });
    assert.equal((await site.json("enable", "probe")).enabled, true);
    await site.host(pipelines, async (busbar) => {
      await busbar.pipeline("one", runs);
      const { audit } = JSON.parse((await site.run("state", "export", "-")).stdout);
      assert.deepEqual(
        audit.map(({ who, action }: Record<string, string>) => [who, action]).slice(-2),
        [["command line", "plugin.disable"], ["command line", "plugin.enable"]],
      );
    });
  }));

Deno.test("reload takes the file that lies there, rollback the version before, which a later host keeps until there is another file", () =>
  withSite(async (site) => {
    const directory = await pluginFolder(await edition(site.folder, 1), site.folder);
    const file = join(site.folder, "web.log");
    const pipelines = { web: tallying(file, { wake: true, interval_ms: 1 }) };
    const plugins = { directories: [directory], watch: { enabled: false } };
    await site.host(pipelines, async (busbar) => {
      await counting(busbar, file, 1);
      assert.match(await site.failure("rollback", "tally"), /no other was in use/);
      await install(await edition(site.folder, 2), directory);
      const reloaded = await site.json("reload", "tally");
      assert.deepEqual([reloaded.version, reloaded.pipelines], ["2.0.0", ["web"]]);
      await counting(busbar, file, 2);
      await install(await edition(site.folder, 3, "start"), directory);
      assert.match(await site.failure("reload", "tally"), /tally.*start/);
      await counting(busbar, file, 2);
      await install(await edition(site.folder, 2), directory);
      const { stdout } = await site.run("rollback", "tally");
      assert.match(stdout, /^Plugin "tally" went back: 1\.0\.0, [0-9a-f]{12}; pipelines: web$/m);
      await counting(busbar, file, 1);
    }, { plugins });
    await Deno.remove(file);
    await site.host(pipelines, async (busbar) => {
      await counting(busbar, file, 1);
      const { version } = await site.json("reload", "tally");
      assert.equal(version, "2.0.0", "asked for, it is taken again");
      await counting(busbar, file, 2);
      await site.json("rollback", "tally");
      await install(await edition(site.folder, 4), directory);
    }, { plugins });
    await Deno.remove(file);
    await site.host(pipelines, async (busbar) => {
      await counting(busbar, file, 4);
      const [last] = await busbar.get("/api/v1/audit");
      assert.deepEqual([last.action, last.before.version, last.after.version], [
        "plugin.rollback",
        "2.0.0",
        "1.0.0",
      ]);
    }, { plugins });
  }));

async function seedLetters(site: Site, count: number): Promise<void> {
  await Deno.mkdir(join(site.data, "pipelines/web"), { recursive: true, mode: 0o700 });
  const store = site.store("web");
  store.commit({ marks: [], states: [], deadLetters: letters(count) });
  store.close();
}

async function checkLetters(site: Site): Promise<void> {
  const { total, letters } = await site.json("dlq", "list", "web", "--component", "r");
  assert.equal(total, 3);
  assert.deepEqual(
    letters.map(({ code, sequence }: { code: string; sequence: number }) => [code, sequence]),
    [["Failed", 1000], ["Failed", 1002], ["Failed", 1004]],
  );
  const shown = await site.json("dlq", "show", "web", letters[1].id);
  assert.deepEqual([shown.payload, shown.attempts], ["payload 2", 2]);
  const { stdout } = await site.run("dlq", "list");
  assert.match(stdout, /^web +1 .* r +Failed +0 +s +1000 +no.\[31m use 0$/m);
  assert.ok(!stdout.includes("\x1b"), "an error cannot steer the terminal");
  assert.match(await site.failure("dlq", "show", "web", "99"), /no dead letter "99"/);
  assert.match(await site.failure("dlq", "list", "nix"), /Unknown pipeline "nix"/);
  assert.equal((await site.run("dlq", "drop", "web")).code, 2, "nothing is chosen");
  assert.equal((await site.run("dlq", "list", "web", "--before", "soon")).code, 2);
}

Deno.test("dead letters are listed, shown, replayed and dropped while the host runs", () =>
  withSite(async (site) => {
    await seedLetters(site, 6);
    await site.host({ web: pipeline() }, async (busbar) => {
      await busbar.pipeline("web", runs);
      await checkLetters(site);
      assert.deepEqual(await site.json("dlq", "drop", "web", "2", "--yes"), { count: 1 });
      assert.deepEqual(await site.json("dlq", "drop", "web", "--code", "Invalid"), { count: 2 });
      assert.deepEqual(await site.json("dlq", "replay", "web", "1"), { count: 1 });
      await waitFor(async () => (await site.json("dlq", "list", "web")).total === 2, { busbar });
      assert.deepEqual(await site.json("dlq", "replay", "web", "--all"), { count: 2 });
      await waitFor(async () => (await site.json("dlq", "list", "web")).total === 0, { busbar });
    });
  }));

Deno.test("dead letters are listed, shown, dropped and marked for replay without a host, which then offers them again", () =>
  withSite(async (site) => {
    await seedLetters(site, 6);
    await checkLetters(site);
    assert.deepEqual(await site.json("dlq", "drop", "web", "--code", "Invalid"), { count: 3 });
    assert.deepEqual(await site.json("dlq", "replay", "web", "--all"), { count: 3 });
    assert.equal((await site.json("dlq", "list")).letters[0].replaying, true);
    await site.host({ web: pipeline() }, async (busbar) => {
      await waitFor(async () => (await site.json("dlq", "list", "web")).total === 0, { busbar });
    });
  }));

Deno.test("without a host that answers, commands say so; a data folder in use is not touched behind its host's back", () =>
  withSite(async (site) => {
    await Deno.mkdir(site.data, { mode: 0o700 });
    assert.match(
      await site.failure("pipeline", "list"),
      /Cannot reach a busbar on data folder ".*start it/,
    );
    assert.match(await site.failure("reload", "probe"), /Cannot reach a busbar/);
    const nowhere = new Site(join(site.folder, "nowhere"));
    assert.match(
      await nowhere.failure("disable", "probe"),
      /Cannot use data folder ".*nowhere\/data"/,
    );
    assert.match(await nowhere.failure("state", "check"), /Cannot find data folder/);
    assert.match((await site.run("disable", "never")).stdout, /it has not been used/);
    lockDataDirectory(site.data);
    const held = new RegExp(`the busbar with pid ${Deno.pid} uses it.*does not answer`);
    assert.match(await site.failure("disable", "probe"), held);
    assert.match(await site.failure("dlq", "list", "web"), held);
    assert.match(await site.failure("state", "check", "--repair"), /uses it/);
  }));

Deno.test("commands find the host by its configuration, its URL and $BUSBAR_URL", () =>
  withSite((site) =>
    site.host({ web: pipeline() }, async (busbar) => {
      const file = join(busbar.folder, "busbar.yaml");
      const list = ["pipeline", "list", "--json"];
      const ways = [
        runBusbar([...list, "-c", file]),
        runBusbar([...list, "--url", busbar.address!]),
        runBusbar(list, { env: { BUSBAR_URL: `${busbar.address}/` } }),
      ];
      for (const { code, stdout, stderr } of await Promise.all(ways)) {
        assert.equal(code, 0, stderr);
        assert.equal(JSON.parse(stdout)[0].id, "web");
      }
      const stop = await runBusbar(["pipeline", "stop", "web", "--url", busbar.address!]);
      assert.equal(stop.code, 0, stop.stderr);
      assert.equal((await busbar.get("/api/v1/audit"))[0].who, "http");
    })
  ));

Deno.test("while somebody has locked the store, changes are refused and pipelines go on", () =>
  withSite((site) =>
    site.host({ web: pipeline() }, async (busbar) => {
      await busbar.pipeline("web", runs);
      using other = new DatabaseSync(HostStore.pathIn(site.data));
      other.exec("BEGIN IMMEDIATE");
      assert.match(await site.failure("pipeline", "stop", "web"), /busbar\.db": .*locked/);
      const { components } = await busbar.pipeline("web", runs);
      await busbar.pipeline("web", (now) =>
        now.components[1].eventsIn > components[1].eventsIn && now.desired === "running");
      other.exec("ROLLBACK");
      assert.equal((await site.json("pipeline", "stop", "web")).status, "stopped");
    })
  ));
