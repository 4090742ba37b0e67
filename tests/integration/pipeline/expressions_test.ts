import assert from "node:assert/strict";
import { join } from "node:path";
import { fixture, PLUGINS } from "../../fixtures/build.ts";
import { withBusbar } from "../../support/busbar.ts";
import {
  collect,
  collected,
  look,
  metric,
  numbers,
  recorderOf,
  runToEnd,
  sequences,
  upTo,
  withFolder,
  withPipelines,
} from "./support.ts";

const builtin = (name: string, from: string, config: Record<string, unknown>) => ({
  use: `builtin/${name}`,
  from: [from],
  config,
});
/** The number that is the payload of an event of `probe/numbers`. */
const NUMBER = 'int(text.extract("^[0-9]+"))';

Deno.test("processors of expressions sort, change and thin out what flows between native ones", () =>
  withFolder(async (folder) => {
    const file = (name: string) => join(folder, name);
    await runToEnd({
      web: {
        sources: { numbers: numbers(5000) },
        processors: {
          odd: builtin("filter", "numbers", { where: `${NUMBER} % 2 == 1` }),
          split: builtin("route", "odd", {
            routes: { small: `${NUMBER} < 1000`, large: `${NUMBER} > 4000` },
          }),
          shaped: builtin("map", "split.large", {
            payload: `{"n": ${NUMBER}, "from": source}`,
          }),
          tenth: builtin("sample", "split.else", { every: 10 }),
          once: builtin("dedupe", "split.small", { key: `string(${NUMBER} % 100)` }),
        },
        reactions: {
          even_out: collect(["odd.rejected"], { file: file("even") }),
          shaped_out: collect(["shaped"], { file: file("shaped") }),
          tenth_out: collect(["tenth"], { file: file("tenth") }),
          once_out: collect(["once"], { file: file("once") }),
          again: collect(["once.duplicates"], { file: file("again") }),
        },
      },
    });
    const found = async (name: string) => sequences(await collected(file(name)));
    const odd = upTo(5000).filter((n) => n % 2 === 1);
    assert.deepEqual(await found("even"), upTo(5000).filter((n) => n % 2 === 0));
    assert.deepEqual(await found("once"), odd.filter((n) => n < 100));
    assert.deepEqual(await found("again"), odd.filter((n) => n > 100 && n < 1000));
    const between = odd.filter((n) => n >= 1000 && n <= 4000);
    assert.deepEqual(await found("tenth"), between.filter((_, i) => i % 10 === 0));
    assert.deepEqual(
      (await collected(file("shaped"))).map(({ payload }) => payload),
      odd.filter((n) => n > 4000).map((n) => `{"n":${n},"from":"numbers"}`),
    );
  }));

Deno.test("what expressions fail on becomes dead letters that say why", () =>
  withFolder(async (folder) => {
    const file = join(folder, "out");
    const web = {
      sources: { numbers: numbers(100, { idle: true }) },
      processors: {
        some: builtin("filter", "numbers", {
          where: `${NUMBER} % 10 == 0 ? payload.gone : true`,
        }),
      },
      reactions: { out: collect(["some"], { file }) },
    };
    await withPipelines({ web }, async (busbar) => {
      const { cell } = await busbar.pipeline(
        "web",
        ({ components }) => components[1].dropped === 10,
      );
      const recorder = await recorderOf(cell.pid);
      assert.equal(metric(recorder, 1, "expression_errors_total"), 10);
      const store = join(busbar.folder, "data/pipelines/web/pipeline.db");
      await busbar.pipeline(
        "web",
        () => look(store, (store) => store.checkpoint().marks[0]?.sequence === 100),
      );
      const letters = look(store, (store) => store.letters({}, { limit: 100, offset: 0 }));
      assert.deepEqual(
        letters.map(({ component, code, sequence }) => [component, code, sequence]).sort(),
        upTo(10).map((n) => ["some", "Invalid", n * 10]).sort(),
      );
    });
    assert.deepEqual(sequences(await collected(file)), upTo(100).filter((n) => n % 10 !== 0));
  }));

Deno.test("sample and dedupe choose the same events over kills of the host", () =>
  withFolder(async (folder) => {
    await fixture("probe");
    const last = 4000;
    const config = {
      data_dir: join(folder, "data"),
      plugins: { directories: [PLUGINS] },
      pipelines: {
        web: {
          sources: { numbers: numbers(last, { burst: 8, idle: true }) },
          processors: {
            seventh: builtin("sample", "numbers", { every: 7 }),
            once: builtin("dedupe", "seventh", {
              key: `string(${NUMBER} % 1001)`,
              window: "1h",
            }),
          },
          reactions: {
            all: collect(["numbers"], { file: join(folder, "all"), slow_ms: 1 }),
            once_out: collect(["once"], { file: join(folder, "once") }),
            again: collect(["once.duplicates"], { file: join(folder, "again") }),
          },
          batch: { max_events: 8 },
          checkpoint_interval: "10ms",
        },
      },
    };
    for (const crash of [1, 2]) {
      await withBusbar({ config }, async (busbar) => {
        await busbar.pipeline("web", ({ components }) => components[3].eventsIn > 300 * crash);
        busbar.kill("SIGKILL");
        await busbar.exited();
      });
    }
    await withBusbar({ config }, async (busbar) => {
      const store = join(folder, "data/pipelines/web/pipeline.db");
      await busbar.pipeline(
        "web",
        () => look(store, (store) => store.checkpoint().marks[0]?.sequence === last),
      );
    });
    const found = async (name: string) =>
      [...new Set(sequences(await collected(join(folder, name))))].sort((a, b) => a - b);
    const sampled = upTo(last).filter((n) => n % 7 === 1);
    assert.deepEqual(await found("all"), upTo(last));
    assert.deepEqual(await found("once"), sampled.filter((n) => n <= 1001));
    assert.deepEqual(await found("again"), sampled.filter((n) => n > 1001));
  }));
