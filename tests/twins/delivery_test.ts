/** Backpressure, refusals and acknowledgement, with built-in components and with their native twins. */
import assert from "node:assert/strict";
import { waitFor } from "../support/busbar.ts";
import { callsOf, recorderOf } from "../integration/pipeline/support.ts";
import { assertDelivered, type Place, withBench } from "./bench.ts";
import { IMPLEMENTATIONS, subjects } from "./pairs.ts";

const COUNT = 300;
/** Sequence of the event that nobody takes; no twin drops it. */
const REFUSED = 9;
const BATCH = { max_events: 4, max_bytes: "4KiB", in_flight: 3 };

for (const implementation of IMPLEMENTATIONS) {
  Deno.test(`slow, unwilling, late and refusing reactions get everything, and nothing is finished before: ${implementation}`, () =>
    withBench(subjects(implementation), async (bench) => {
      const pipelines = (place: Place) =>
        place.pipeline({
          batch: BATCH,
          collectors: {
            brake: { again_while: place.closed },
            unwilling: { again_every: 3, fail_every: 11 },
            late: { pending: true, order: "lifo", window: 6, wait_ms: 1 },
            refusing: { invalid_sequence: REFUSED },
          },
        });
      await bench.host(pipelines, async (busbar) => {
        await bench.each(async (place) => {
          const { twin, target } = place;
          target.busyEvery = 5;
          place.hold();
          place.add(COUNT);
          target.refuses = place.lines[REFUSED - 1]!.text;
          // As far as it comes: what nobody takes is offered again and again.
          const index = twin.role === "processor" || place.before ? 2 : 1;
          const brake = index + (twin.role === "reaction" ? 1 : 0);
          const { cell } = await busbar.pipeline(
            place.id,
            ({ components }) => components[brake].queued >= 2,
          );
          const offers = async () => callsOf((await recorderOf(cell.pid)).component(brake));
          const before = await offers();
          await waitFor(async () => await offers() > before + 3, { busbar });
          const { components } = await busbar.get(`/api/v1/pipelines/${place.id}`);
          // Where a processor drops most of it, there is room for more.
          const most = 3 * (BATCH.in_flight + 1) * BATCH.max_events;
          assert.ok(components[0].eventsOut <= most, `${components[0].eventsOut} were read`);
          assert.deepEqual([components[brake].id, components[brake].eventsIn], ["brake", 0]);
          if (twin.sends) assert.equal(components[index].eventsIn, 0);
          assert.equal(place.finished(), 0);
          place.release();
          await place.settled(busbar);

          // What is finished is there, not only after a stop.
          const { expected } = place;
          const wanted = expected.filter(({ sequence }) => sequence !== REFUSED);
          for (const id of ["brake", "unwilling", "late", "refusing"]) {
            const all = id === "refusing" ? wanted : expected;
            assertDelivered(await place.delivered(id), all, { ordered: id !== "late" });
          }
          assertDelivered(await place.delivered(), twin.sends ? wanted : expected);

          const { body } = await busbar.fetch(`/api/v1/pipelines/${place.id}/dead-letters`);
          const letters = body.letters.map((
            { component, code, sequence }: Record<string, unknown>,
          ) => `${component} ${code} ${sequence}`);
          const refusing = [...twin.sends ? ["out"] : [], "refusing"];
          assert.deepEqual(
            [...new Set(letters)].toSorted(),
            refusing.map((id) => `${id} Invalid ${REFUSED}`),
          );
        });
        assert.equal((await busbar.stop()).code, 0);
      });
    }));
}
