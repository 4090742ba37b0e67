/** What the system does to busbar: full and read-only disks, databases that are locked or damaged, a clock that is set back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HostStore } from "../../src/store/host_store.ts";
import { PipelineStore } from "../../src/store/pipeline_store.ts";
import { fixture, PLUGINS } from "../fixtures/build.ts";
import { type Busbar, runBusbar, waitFor, withBusbar, writeConfig } from "../support/busbar.ts";
import { type SystemFault, SystemFaults } from "../support/system_faults.ts";
import { steadyPipeline, watchSteady } from "./cell/config.ts";
import { collect, collected, numbers, sequences, upTo, withFolder } from "./pipeline/support.ts";

/** A data folder with pipeline `web`, whose cells alone can have system faults, and `steady`. */
class Site {
  readonly data: string;
  /** What `web` accepted. */
  readonly out: string;
  readonly database: string;

  constructor(readonly folder: string, readonly faults: SystemFaults) {
    this.data = join(folder, "data");
    this.out = join(folder, "out");
    this.database = join(this.data, "pipelines/web/pipeline.db");
  }

  get config() {
    return {
      data_dir: this.data,
      log: { format: "json" },
      plugins: { directories: [PLUGINS] },
      pipelines: {
        steady: steadyPipeline(),
        web: {
          sources: { numbers: numbers(0, { wake: true, interval_ms: 4, burst: 8 }) },
          reactions: { out: collect(["numbers"], { file: this.out }) },
          batch: { max_events: 8 },
          checkpoint_interval: "20ms",
          restart: { initial: "50ms", max: "50ms", max_restarts: 1000 },
          environment: Object.keys(this.faults.env),
        },
      },
    };
  }

  run<T>(action: (busbar: Busbar) => Promise<T>): Promise<T> {
    return withBusbar({ config: this.config, env: this.faults.env }, action);
  }

  /** Up to where `web` has come, durably. */
  mark(): number {
    const store = PipelineStore.open(this.database);
    try {
      return store.checkpoint().marks[0]?.sequence ?? 0;
    } finally {
      store.close();
    }
  }

  /** Waits until `web` runs and has come farther than it is. */
  async moves(busbar: Busbar): Promise<void> {
    await busbar.pipeline("web", ({ status }) => status === "running");
    const before = this.mark();
    await waitFor(() => this.mark() > before, { what: "a checkpoint", busbar });
  }

  /** Fails unless everything up to the last checkpoint has arrived, once if there was no crash. */
  async assertWhole({ once }: { once: boolean }): Promise<void> {
    const arrived = sequences(await collected(this.out));
    const distinct = [...new Set(arrived)].sort((a, b) => a - b);
    assert.deepEqual(distinct, upTo(distinct.length), "nothing is missing");
    assert.ok(distinct.length >= this.mark(), "what is checkpointed has arrived");
    if (once) assert.equal(arrived.length, distinct.length, "nothing came twice");
  }
}

async function withSite(
  action: (site: Site) => Promise<void>,
  { part = "data/pipelines/web" } = {},
): Promise<void> {
  await fixture("probe");
  await withFolder(async (folder) => {
    await action(new Site(folder, await SystemFaults.make(folder, join(folder, part))));
  });
}

interface Fault {
  /** What the message says: the reason, and what to do. */
  reason: RegExp;
  /** Begins; the result ends it. Undefined where it cannot begin yet. */
  strike(site: Site): (() => void) | undefined;
}

const FAULTS: Record<string, Fault> = {
  "on a full disk": {
    reason: /disk is full; free space on its disk/,
    strike: ({ faults }) => struck(faults, "full"),
  },
  "on a disk that became read-only": {
    reason: /disk I\/O error; check its disk|readonly database; make the file and its folder/,
    strike: ({ faults }) => struck(faults, "read-only"),
  },
  "with a database that is locked": {
    reason: /database is locked; end the other process that writes to it/,
    strike({ database }) {
      const other = new DatabaseSync(database);
      try {
        other.exec("BEGIN EXCLUSIVE");
        return () => other.close();
      } catch (error) {
        other.close();
        if (/locked/.test((error as Error).message)) return undefined;
        throw error;
      }
    },
  },
};

function struck(faults: SystemFaults, fault: SystemFault): () => void {
  faults.strike(fault);
  return () => faults.mend();
}

for (const [what, { reason, strike }] of Object.entries(FAULTS)) {
  Deno.test(`a pipeline ${what} goes on without checkpoints, and nothing is lost nor comes twice`, () =>
    withSite(async (site) => {
      await site.run(async (busbar) => {
        const steadyIsUntouched = await watchSteady(busbar);
        await site.moves(busbar);
        const mend = await waitFor(() => strike(site), { what: "the fault", busbar });
        const { fields } = await busbar.log(({ message }) => /^Checkpoint failed/.test(message));
        const { error } = fields as { error: string };
        assert.match(error, /^Cannot write checkpoint to ".*web\/pipeline\.db": /);
        assert.match(error, reason);
        const { components } = await busbar.pipeline("web", ({ status }) => status === "running");
        await busbar.pipeline(
          "web",
          (now) => now.components[1].eventsIn > components[1].eventsIn + 50,
        );
        await steadyIsUntouched();
        mend();
        await site.moves(busbar);
        const { restarts } = await busbar.get("/api/v1/pipelines/web");
        assert.equal(restarts, 0);
        assert.equal((await busbar.stop()).code, 0);
      });
      await site.assertWhole({ once: true });
    }));

  Deno.test(`a pipeline ${what} starts as soon as it can, and nothing is lost`, () =>
    withSite(async (site) => {
      await site.run(async (busbar) => {
        const steadyIsUntouched = await watchSteady(busbar);
        await site.moves(busbar);
        const { cell } = await busbar.get("/api/v1/pipelines/web");
        const mend = await waitFor(() => {
          Deno.kill(cell.pid, "SIGSTOP");
          const struck = strike(site);
          // It stands in the middle of a transaction.
          if (struck === undefined) Deno.kill(cell.pid, "SIGCONT");
          return struck;
        }, { what: "the fault", busbar });
        Deno.kill(cell.pid, "SIGKILL");
        const refused = await busbar.log(({ cell, message }) =>
          cell === "web" && /pipeline\.db/.test(message)
        );
        assert.match(refused.message, /Cannot open pipeline store ".*web\/pipeline\.db": /);
        assert.match(refused.message, reason);
        assert.doesNotMatch(refused.message, /\n\s+at /, "no stack: it is no fault of busbar");
        await steadyIsUntouched();
        mend();
        await site.moves(busbar);
        assert.equal((await busbar.stop()).code, 0);
      });
      await site.assertWhole({ once: false });
    }));
}

Deno.test("a pipeline that was never there before starts as soon as its disk can be written", () =>
  withSite(async (site) => {
    site.faults.strike("read-only");
    await site.run(async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      const { message } = await busbar.log(({ cell, level }) =>
        cell === "web" && level === "ERROR"
      );
      assert.match(message, /Cannot make data folder ".*web.*": Read-only file system; make the/);
      await steadyIsUntouched();
      site.faults.mend();
      await site.moves(busbar);
      assert.equal((await busbar.stop()).code, 0);
    });
    await site.assertWhole({ once: true });
  }));

Deno.test("a source with a buffer on a full disk waits, and nothing is lost nor comes twice", () =>
  withSite(async (site) => {
    const config = structuredClone(site.config);
    Object.assign(config.pipelines.web.sources.numbers, { buffer: { type: "disk" } });
    await withBusbar({ config, env: site.faults.env }, async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      await site.moves(busbar);
      site.faults.strike("full");
      const { fields } = await busbar.log(({ message }) => /^Buffer failed/.test(message));
      const { error } = fields as { error: string };
      assert.match(error, /^Cannot write buffer rows to ".*web\/pipeline\.db": .*free space on/);
      const { status } = await busbar.get("/api/v1/pipelines/web");
      assert.equal(status, "running");
      await steadyIsUntouched();
      site.faults.mend();
      await site.moves(busbar);
      assert.equal((await busbar.stop()).code, 0);
    });
    await site.assertWhole({ once: true });
  }));

/** Fills everything behind the first page, and what a running cell has of it in memory is out of date. */
function damage(path: string): void {
  using other = new DatabaseSync(path, { timeout: 5000 });
  other.exec("BEGIN IMMEDIATE; PRAGMA user_version = 99; ROLLBACK");
  const { user_version } = other.prepare("PRAGMA user_version").get() as { user_version: number };
  other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const file = Deno.openSync(path, { write: true });
  const { size } = file.statSync();
  file.seekSync(16_384, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(size - 16_384).fill(0xee));
  file.close();
  // Writes the first page, so that everybody reads anew.
  other.exec(`PRAGMA user_version = ${user_version}`);
}

/** What `busbar state check` says, which must find something wrong. */
async function problems(data: string, ...options: string[]): Promise<string> {
  const { code, stderr } = await runBusbar(["state", "check", "--data-dir", data, ...options]);
  assert.equal(code, 1, stderr);
  return stderr;
}

Deno.test("a pipeline whose database is damaged says so, and everything comes again once it is moved aside", () =>
  withSite(async (site) => {
    const damaged = /pipeline\.db": .*malformed; end what uses it, .*"busbar state check --repair"/;
    await site.run(async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      await site.moves(busbar);
      damage(site.database);
      const { fields } = await busbar.log(({ message }) => /^Checkpoint failed/.test(message));
      assert.match((fields as { error: string }).error, damaged);
      const { cell, status } = await busbar.get("/api/v1/pipelines/web");
      assert.equal(status, "running", "its events still arrive");
      Deno.kill(cell.pid, "SIGKILL");
      const { message } = await busbar.log(({ cell, message }) =>
        cell === "web" && /malformed/.test(message)
      );
      assert.match(message, damaged);
      await steadyIsUntouched();
      assert.equal((await busbar.stop()).code, 0);
    });
    assert.match(await problems(site.data), /pipeline\.db.*--repair/);
    const moved = await runBusbar(["state", "check", "--repair", "--data-dir", site.data]);
    assert.match(moved.stderr, /pipeline\.db" is now ".*pipeline\.db\.corrupt-/);
    await site.run(async (busbar) => {
      await site.moves(busbar);
      assert.equal((await busbar.stop()).code, 0);
    });
    await site.assertWhole({ once: false });
  }));

Deno.test("a host whose database is damaged while it runs goes on, and says so when it is asked for a change", () =>
  withSite(async (site) => {
    await site.run(async (busbar) => {
      const steadyIsUntouched = await watchSteady(busbar);
      await site.moves(busbar);
      damage(HostStore.pathIn(site.data));
      const answer = await busbar.fetch("/api/v1/pipelines/web/pause", { method: "POST" });
      assert.equal(answer.status, 500, JSON.stringify(answer.body));
      assert.match(answer.body.error.message, /busbar\.db": .*malformed; .*state check --repair/);
      await site.moves(busbar);
      await steadyIsUntouched();
      assert.equal((await busbar.stop()).code, 0);
    });
    const file = await writeConfig(site.folder, site.config);
    const refused = await runBusbar(["run", "-c", file], { env: site.faults.env });
    assert.equal(refused.code, 3, refused.stderr);
    assert.match(refused.stderr, /busbar\.db": .*malformed; .*state check --repair/);
    await runBusbar(["state", "check", "--repair", "--data-dir", site.data]);
    await site.run((busbar) => site.moves(busbar));
    await site.assertWhole({ once: true });
  }));

const HOST_FAULTS = {
  full: { start: /Cannot write ".*data.*": .*; free space on its disk/, status: 507 },
  "read-only": {
    start: /Cannot use data folder ".*data": Read-only.*make it writable/,
    status: 500,
  },
} as const;

for (const [fault, { start, status }] of Object.entries(HOST_FAULTS)) {
  Deno.test(`a host whose disk is ${fault} refuses changes and goes on; it does not start, and says why`, () =>
    withSite(async (site) => {
      const { faults } = site;
      const config = structuredClone(site.config);
      config.pipelines.web.environment = [];
      await withBusbar({ config, env: faults.env }, async (busbar) => {
        const steadyIsUntouched = await watchSteady(busbar);
        await busbar.pipeline("web", ({ status }) => status === "running");
        faults.strike(fault as SystemFault);
        const refused = await busbar.fetch("/api/v1/pipelines/web/pause", { method: "POST" });
        assert.equal(refused.status, status, JSON.stringify(refused.body));
        assert.match(refused.body.error.message, /Cannot write ".*busbar\.db": .*disk/);
        const { cell, restarts } = await busbar.get("/api/v1/pipelines/web");
        Deno.kill(cell.pid, "SIGSEGV");
        await busbar.pipeline("web", (now) => now.restarts > restarts && now.status === "running");
        await site.moves(busbar);
        await steadyIsUntouched();
        assert.equal((await busbar.stop()).code, 0);
      });
      const file = await writeConfig(site.folder, config);
      const host = await runBusbar(["run", "-c", file], { env: faults.env });
      assert.equal(host.code, 3, host.stderr);
      assert.match(host.stderr, start);
      faults.mend();
      await withBusbar({ config, env: faults.env }, (busbar) => site.moves(busbar));
      await site.assertWhole({ once: false });
    }, { part: "data" }));
}

Deno.test("a clock that is set back by an hour disturbs neither checkpoints nor restarts, and the audit log keeps its order", () =>
  withSite(async (site) => {
    await site.run(async (busbar) => {
      await site.moves(busbar);
      const change = (what: string) =>
        busbar.fetch(`/api/v1/pipelines/web/${what}`, { method: "POST" });
      assert.equal((await change("pause")).status, 200);
      site.faults.strike("past");
      assert.equal((await change("resume")).status, 200);
      await site.moves(busbar);
      const { cell } = await busbar.get("/api/v1/pipelines/web");
      Deno.kill(cell.pid, "SIGSEGV");
      const { lastExit } = await busbar.pipeline(
        "web",
        ({ restarts, status }) => restarts === 1 && status === "running",
      );
      assert.ok(Date.parse(lastExit.at) < Date.now() - 3_000_000, "the clock is an hour behind");
      await site.moves(busbar);
      const [newest, before] = await busbar.get("/api/v1/audit");
      assert.deepEqual([newest.action, before.action], ["pipeline.resume", "pipeline.pause"]);
      assert.ok(newest.at < before.at);
      assert.equal((await busbar.stop()).code, 0);
    });
    await site.assertWhole({ once: false });
  }));
