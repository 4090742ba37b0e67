import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fixture, PLUGINS } from "../../fixtures/build.ts";
import { type Busbar, waitFor, withBusbar } from "../../support/busbar.ts";
import { gone } from "../cell/config.ts";
import { collect, collected, digits, lastLine, numbers, withFolder } from "./support.ts";

/** Runs a pipeline on the data folder that `folder` has over several runs. */
async function run<T>(
  folder: string,
  pipelines: Record<string, unknown>,
  action: (busbar: Busbar) => Promise<T>,
): Promise<T> {
  await fixture("probe");
  const config = {
    data_dir: join(folder, "data"),
    log: { level: "debug", format: "json" },
    plugins: { directories: [PLUGINS] },
    pipelines,
  };
  return await withBusbar({ config }, async (busbar) => {
    await waitFor(() => busbar.address, { what: "its address", busbar });
    return await action(busbar);
  });
}

/** Ends the host as a power cut would, and waits until its cell is gone too. */
async function killHost(busbar: Busbar): Promise<void> {
  const { cell } = await busbar.pipeline("web", ({ cell }) => cell !== null);
  busbar.kill("SIGKILL");
  await busbar.exited();
  await gone(cell.pid);
}

function buffered(config: Record<string, unknown>, buffer: Record<string, unknown> = {}) {
  return { ...numbers(0, config), buffer: { type: "disk", ...buffer } };
}

async function payloads(file: string): Promise<number[]> {
  return (await collected(file)).map((event) => Number(digits(event)));
}

/** For each life of the source: the number before its first, and the last that was committed. */
async function lives(file: string): Promise<{ start: number; committed: number }[]> {
  const found: { start: number; committed: number }[] = [];
  for (const line of (await Deno.readTextFile(file)).split("\n").slice(0, -1)) {
    const start = /^start (\d+)$/.exec(line)?.[1];
    if (start !== undefined) found.push({ start: Number(start), committed: Number(start) });
    else found.at(-1)!.committed = Number(line);
  }
  return found;
}

Deno.test("what a source that cannot replay was told is kept arrives, whoever is killed", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    const pipeline = (more: Record<string, unknown>) => ({
      web: {
        sources: {
          in: buffered({
            burst: 16,
            payload_size: 100,
            forget: true,
            raw_file: file("raw"),
            commit_file: file("commits"),
            ...more,
          }),
        },
        reactions: { out: collect(["in"], { file: file("out"), slow_ms: 1 }) },
        batch: { max_events: 16 },
        checkpoint_interval: "30ms",
        restart: { initial: "1ms", max: "1ms" },
      },
    });
    const commits = async () =>
      Number((await lastLine(file("commits")) ?? "0").replace("start ", ""));
    for (const cellKills of [2, 1, 0]) {
      await run(folder, pipeline({}), async (busbar) => {
        for (let kills = 0; kills <= cellKills; kills++) {
          const { cell } = await busbar.pipeline(
            "web",
            ({ status, restarts }) => status === "running" && restarts === kills,
          );
          const before = await commits();
          await waitFor(async () => await commits() > before + 800, { busbar });
          if (kills < cellKills) Deno.kill(cell.pid, "SIGKILL");
        }
        await killHost(busbar);
      });
    }
    const known = await lives(file("commits"));
    assert.equal(known.length, 6);
    // One that polls nothing new: what is left comes out.
    await run(folder, pipeline({ count: 1, idle: true }), async (busbar) => {
      await busbar.pipeline(
        "web",
        ({ status, components: [source] }) => status === "running" && source.buffer.events === 0,
      );
      assert.equal((await busbar.stop()).code, 0);
    });
    const got = await payloads(file("out"));
    const arrived = new Set(got);
    for (const { start, committed } of known) {
      assert.ok(committed > start);
      for (let n = start + 1; n <= committed; n++) assert.ok(arrived.has(n), `${n} is lost`);
    }
    const first = [...arrived];
    assert.deepEqual(first, first.toSorted((a, b) => a - b), "in order");
  }));

Deno.test("damaged rows of a buffer are reported and counted, and everything else arrives", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out");
    const stuck = join(folder, "stuck");
    await Deno.writeTextFile(stuck, "");
    const pipelines = {
      web: {
        sources: { in: { ...numbers(400, { burst: 10, idle: true }), buffer: { type: "disk" } } },
        reactions: { out: collect(["in"], { file: out, again_while: stuck }) },
        batch: { max_events: 10 },
      },
    };
    await run(folder, pipelines, async (busbar) => {
      const { components: [source] } = await busbar.pipeline(
        "web",
        ({ components }) => components[0].buffer.events === 400,
      );
      assert.ok(source.buffer.bytes > 400 * 48, JSON.stringify(source.buffer));
      await killHost(busbar);
    });
    const database = new DatabaseSync(join(folder, "data/pipelines/web/pipeline.db"));
    database.exec(
      "UPDATE buffer SET data = zeroblob(length(data)) WHERE last_sequence IN (100, 250)",
    );
    database.close();
    await Deno.remove(stuck);
    await run(folder, pipelines, async (busbar) => {
      const { components: [source] } = await busbar.pipeline(
        "web",
        ({ components }) => components[1].eventsIn === 380 && components[0].buffer.events === 0,
      );
      assert.deepEqual(source.buffer, { bytes: 0, events: 0, dropped: 0, corrupt: 20 });
      const error = await busbar.log(({ message }) => /events are damaged on disk/.test(message));
      assert.deepEqual([error.level, error.component, error.fields], ["ERROR", "in", {
        events: 10,
      }]);
    });
    const damaged = (n: number) => (n > 90 && n <= 100) || (n > 240 && n <= 250);
    const expected = Array.from({ length: 400 }, (_, i) => i + 1).filter((n) => !damaged(n));
    assert.deepEqual(await payloads(out), expected);
  }));

Deno.test("when_full says who has to wait or to go, and shows what went", () =>
  withFolder(async (folder) => {
    const stuck = join(folder, "stuck");
    await Deno.writeTextFile(stuck, "");
    const maxBytes = 65_536;
    const count = 4000;
    const kinds = ["block", "drop_oldest", "reject"];
    const pipelines = Object.fromEntries(kinds.map((kind) => [kind.replace("_", "-"), {
      sources: {
        in: {
          ...numbers(count, { payload_size: 100, burst: 10, idle: true }),
          buffer: { type: "disk", max_bytes: maxBytes, when_full: kind },
        },
      },
      reactions: { out: collect(["in"], { file: join(folder, kind), again_while: stuck }) },
      // All batches are of one size: behind a larger one that was rejected, a smaller one might still fit.
      batch: { max_events: 10, max_bytes: "4KiB" },
      checkpoint_interval: "20ms",
    }]));
    await run(folder, pipelines, async (busbar) => {
      const view = async (kind: string, matches: (components: View[]) => boolean) =>
        (await busbar.pipeline(kind.replace("_", "-"), ({ components }) => matches(components)))
          .components as View[];
      const given: Record<string, number> = {};
      for (const kind of kinds) {
        const [source] = await view(
          kind,
          ([source]) =>
            kind === "block"
              ? source!.buffer.bytes > maxBytes - 3 * 4096
              : source!.eventsOut === count && source!.buffer.dropped > 0,
        );
        assert.ok(source!.buffer.bytes <= maxBytes, JSON.stringify(source));
        given[kind] = source!.eventsOut;
      }
      assert.ok(given.block! < count / 2, "the source is not polled");
      await Deno.remove(stuck);
      for (const kind of kinds) {
        const [source] = await view(
          kind,
          ([source, reaction]) => reaction!.eventsIn + source!.buffer.dropped === count,
        );
        assert.equal(source!.dropped, source!.buffer.dropped);
        const got = await payloads(join(folder, kind));
        assert.equal(got.length, count - source!.dropped);
        assert.deepEqual(got, got.toSorted((a, b) => a - b));
        if (kind === "block") assert.equal(source!.dropped, 0);
        if (kind === "drop_oldest") assert.equal(got.at(-1), count, "the newest are there");
        if (kind === "reject") assert.equal(got.at(-1), got.length, "the oldest are there");
      }
    });
  }));

Deno.test("a fast source and a stuck reaction fill the disk, not the memory", () =>
  withFolder(async (folder) => {
    const stuck = join(folder, "stuck");
    await Deno.writeTextFile(stuck, "");
    const maxBytes = 256 * 2 ** 20;
    const pipelines = {
      web: {
        sources: { in: buffered({ payload_size: 10_000, burst: 256 }, { max_bytes: maxBytes }) },
        reactions: { out: collect(["in"], { again_while: stuck }) },
        limits: { memory: "192MiB" },
        checkpoint_interval: "50ms",
      },
    };
    await run(folder, pipelines, async (busbar) => {
      const full = await busbar.pipeline(
        "web",
        ({ components }) => components[0].buffer.bytes > maxBytes - 2 * 2 ** 20,
      );
      await Deno.remove(stuck);
      const { restarts } = await busbar.pipeline(
        "web",
        ({ components }) => components[1].eventsIn > 2 * full.components[0].buffer.events,
      );
      assert.equal(restarts, 0, "it stays within its limit");
    });
  }));

interface View {
  eventsIn: number;
  eventsOut: number;
  dropped: number;
  buffer: { bytes: number; events: number; dropped: number; corrupt: number };
}
