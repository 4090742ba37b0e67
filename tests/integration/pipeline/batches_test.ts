import assert from "node:assert/strict";
import { join } from "node:path";
import { waitFor } from "../../support/busbar.ts";
import {
  assertNumbers,
  callsOf,
  collect,
  numbers,
  recorderOf,
  withFolder,
  withPipelines,
} from "./support.ts";

/** Settings of a batch, and how `probe/numbers` emits: how many batches come of how many events. */
const CLOSING: Record<string, { batch: object; source: object; events: number; batches: number }> =
  {
    "at max_events": {
      batch: { max_events: 10, max_delay: "1h" },
      source: { burst: 7 },
      events: 95,
      batches: 9,
    },
    "at max_bytes": {
      batch: { max_bytes: "4KiB", max_delay: "1h" },
      source: { payload_size: 1000 },
      events: 12,
      batches: 4,
    },
    "max_delay after its first event": {
      batch: { max_delay: "20ms" },
      source: { burst: 64 },
      events: 5,
      batches: 1,
    },
    "after each poll, without max_delay": {
      batch: { max_delay: "0s" },
      source: { burst: 3 },
      events: 30,
      batches: 10,
    },
    "not before": {
      batch: { max_delay: "1h" },
      source: { burst: 64 },
      events: 500,
      batches: 0,
    },
  };

Deno.test("a batch closes at max_events, max_bytes or max_delay, whichever comes first", () =>
  withFolder(async (folder) => {
    const held = join(folder, "held");
    await Deno.writeTextFile(held, "");
    const file = (index: number) => join(folder, `${index}`);
    const cases = Object.entries(CLOSING);
    const pipelines = Object.fromEntries(cases.map(([, { batch, source, events }], i) => [`p${i}`, {
      cell: "batches",
      sources: { numbers: numbers(events, { idle: true, ...source }) },
      // Batches that it does not take are counted as queued.
      reactions: { file: collect(["numbers"], { file: file(i), again_while: held }) },
      batch: { in_flight: 16, ...batch },
    }]));
    await withPipelines(pipelines, async (busbar) => {
      for (const [i, [what, { events, batches }]] of cases.entries()) {
        const { components, cell } = await busbar.pipeline(
          `p${i}`,
          ({ components: [source, reaction] }) =>
            source.eventsOut === events && reaction.queued >= batches,
        );
        // Some more polls bring nothing, and so close nothing.
        const polls = async () => callsOf((await recorderOf(cell.pid)).component(2 * i));
        const before = await polls();
        await waitFor(async () => await polls() > before + 2, { busbar });
        const { components: later } = await busbar.get(`/api/v1/pipelines/p${i}`);
        assert.equal(later[1].queued, batches, `batches close ${what}`);
        assert.equal(components[1].eventsIn, 0);
      }
      await Deno.remove(held);
      assert.equal((await busbar.stop()).code, 0);
    });
    for (const [i, [, { events }]] of cases.entries()) await assertNumbers(file(i), events);
  }));
