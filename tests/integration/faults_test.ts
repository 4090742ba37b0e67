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
          sources: { numbers: numbers(0, { burst: 8 }) },
          reactions: { out: collect(["numbers"], { file: this.out, slow_ms: 1 }) },
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
  /** Begins; the result ends it. */
  strike(site: Site): () => void;
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
      other.exec("BEGIN EXCLUSIVE");
      return () => other.close();
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
        const mend = strike(site);
        const { error } = await busbar.log(({ message }) => /^Checkpoint failed/.test(message));
        assert.match(String(error), /^Cannot write checkpoint to ".*web\/pipeline\.db": /);
        assert.match(String(error), reason);
        const { components } = await busbar.pipeline("web", ({ status }) => status === "running");
        await busbar.pipeline("web", (now) =>
          now.components[1].eventsIn > components[1].eventsIn + 50);
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
        Deno.kill(cell.pid, "SIGSTOP");
        const mend = strike(site);
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
