import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HostStore } from "../../src/store/host_store.ts";
import { fixture } from "../fixtures/build.ts";
import { runBusbar, writeConfig } from "../support/busbar.ts";
import { letters, pipeline, runs, Site, withSite } from "./site.ts";

Deno.test("state export and import carry what is stored to another data folder; a broken file changes nothing", () =>
  withSite(async (site) => {
    await Deno.mkdir(site.data, { mode: 0o700 });
    await site.json("disable", "probe");
    const file = join(site.folder, "state.json");
    assert.equal((await site.run("state", "export", file)).code, 0);
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
    const other = new Site(join(site.folder, "other"));
    await other.json("state", "import", file);
    const { plugins, audit } = JSON.parse((await other.run("state", "export", "-")).stdout);
    assert.deepEqual([plugins[0].name, plugins[0].enabled], ["probe", false]);
    assert.equal(audit.at(-1).action, "state.import");
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, text.replace('"enabled": false', '"enabled": "no"'));
    assert.match(
      await other.failure("state", "import", file),
      /plugins\.0\.enabled.*nothing was changed/,
    );
    assert.match(
      await new Site(join(site.folder, "none")).failure("state", "export", "-"),
      /no host has run/,
    );
    await site.host({ web: pipeline() }, async () => {
      await Deno.writeTextFile(file, text);
      assert.match(await site.failure("state", "import", file), /the busbar with pid \d+ uses it/);
    });
  }));

Deno.test("state check passes what is sound, also while the host runs, and names what is damaged; --repair moves it aside", () =>
  withSite(async (site) => {
    await fixture("probe");
    const pipelines = { one: pipeline("probe/numbers") };
    await site.host(pipelines, async (busbar) => {
      await busbar.pipeline("one", ({ components }) => components[1].eventsIn === 5);
      const { ok, checked } = await site.json("state", "check");
      assert.deepEqual([ok, checked], [true, 3], "two databases and a plugin's copy");
    });
    assert.equal((await site.run("state", "check")).code, 0);
    const database = join(site.data, "pipelines/one/pipeline.db");
    {
      const store = site.store("one");
      store.commit({ marks: [], states: [], deadLetters: letters(2) });
      store.close();
      using db = new DatabaseSync(database);
      db.exec("UPDATE letters SET payload = x'00' WHERE id = 1");
    }
    const spared = await site.failure("state", "check", "--repair");
    assert.match(spared, /Dead letter 1: checksum differs/);
    assert.doesNotMatch(spared, / is now /);
    assert.equal((await site.json("dlq", "drop", "one", "--all")).count, 2);
    await Deno.writeTextFile(database, "this was a database ".repeat(100));
    const copies = join(site.data, "plugins/probe");
    const [{ name: digest }] = await Array.fromAsync(Deno.readDir(copies)) as [Deno.DirEntry];
    const manifest = join(copies, digest, "manifest.json");
    await Deno.chmod(manifest, 0o600);
    await Deno.writeTextFile(manifest, "{}");
    const problems = await site.failure("state", "check");
    assert.match(problems, /pipeline\.db": .*--repair/);
    assert.match(problems, /stored copy ".*" of plugin "probe" is damaged.*reload/);
    const repaired = await site.failure("state", "check", "--repair");
    assert.match(repaired, /pipeline\.db" is now ".*pipeline\.db\.corrupt-/);
    await site.host(pipelines, (busbar) => busbar.pipeline("one", runs));
    assert.equal((await site.run("state", "check")).code, 0, "the host has copied the plugin anew");
  }));

Deno.test("a host does not start on a store that is locked, damaged or newer, says what to do, and leaves it as it is", () =>
  withSite(async (site) => {
    await Deno.mkdir(site.data, { mode: 0o700 });
    HostStore.open(site.data).close();
    const path = HostStore.pathIn(site.data);
    const config = await writeConfig(site.folder, {
      data_dir: site.data,
      pipelines: { web: pipeline() },
    });
    const refusal = async () => {
      const { code, stderr } = await runBusbar(["run", "-c", config]);
      assert.equal(code, 3, stderr);
      return stderr;
    };
    {
      using other = new DatabaseSync(path);
      other.exec("BEGIN IMMEDIATE");
      assert.match(await refusal(), /busbar\.db": .*locked; end the other process/);
    }
    {
      using newer = new DatabaseSync(path);
      newer.exec("PRAGMA user_version = 99");
    }
    assert.match(await refusal(), /version 99.*run the busbar that wrote it/);
    const text = "no database ".repeat(1000);
    await Deno.writeTextFile(path, text);
    assert.match(await refusal(), /busbar\.db": .*state check --repair/);
    assert.equal(await Deno.readTextFile(path), text);
    await site.failure("state", "check");
    assert.equal((await site.run("state", "check", "--repair")).code, 0);
    await site.host({ web: pipeline() }, (busbar) => busbar.pipeline("web", runs));
  }));
