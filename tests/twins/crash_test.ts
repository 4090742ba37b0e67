/** Crashes of cells and hosts, with built-in components and with their native twins. */
import assert from "node:assert/strict";
import { waitFor } from "../support/busbar.ts";
import { assertDelivered, type Place, withBench } from "./bench.ts";
import { IMPLEMENTATIONS, subjects } from "./pairs.ts";

for (const implementation of IMPLEMENTATIONS) {
  Deno.test(`crashes at any moment lose nothing, and give again only what was not finished: ${implementation}`, () =>
    withBench(subjects(implementation), async (bench) => {
      const pipelines = (place: Place) => place.pipeline({});
      await bench.host(pipelines, async (busbar) => {
        /** Kills the pipeline's cell once it runs, and waits until it is gone. */
        const kill = async (place: Place, signal: Deno.Signal) => {
          const { cell, restarts } = await busbar.pipeline(
            place.id,
            ({ status }) => status === "running",
          );
          Deno.kill(cell.pid, signal);
          await busbar.pipeline(place.id, (now) => now.restarts > restarts);
        };
        /** Waits until so many events were given, and a reaction under test that does not wait for an answer has taken some. */
        const given = (place: Place, count: number) =>
          busbar.pipeline(place.id, ({ status, components }) => {
            const out = components.find(({ id }: { id: string }) => id === "out");
            const taken = out === undefined || place.twin.sends || out.eventsIn > 0;
            return status === "running" && taken && components[0].eventsOut >= count;
          });
        /** Waits until something has arrived where nothing is taken. */
        const held = (place: Place) =>
          busbar.pipeline(place.id, ({ components }) => components.at(-1).queued > 0);
        await bench.each(async (place) => {
          // Nothing is finished yet.
          place.hold();
          place.add(40);
          const first = await given(place, 1);
          assert.equal(place.finished(), 0);
          await kill(place, "SIGKILL");
          // While the same events are given again.
          await given(place, first.components[0].eventsOut + 1);
          assert.equal(place.finished(), 0);
          await kill(place, "SIGSEGV");
          place.release();
          // Some is finished, and more is under way.
          place.add(40);
          await waitFor(() => place.finished() > 0, { busbar });
          place.add(40);
          await kill(place, "SIGKILL");
          // As soon as there is a process.
          const { cell, restarts } = await busbar.pipeline(
            place.id,
            ({ cell }) => cell !== null,
          );
          Deno.kill(cell.pid, "SIGKILL");
          await busbar.pipeline(place.id, (now) => now.restarts > restarts);
          // While it is stopping.
          await place.settled(busbar);
          place.hold();
          place.add(40);
          const { cell: last } = await held(place);
          const stop = busbar.fetch(`/api/v1/pipelines/${place.id}/stop`, { method: "POST" });
          await busbar.pipeline(place.id, ({ status }) => status === "stopping");
          Deno.kill(last.pid, "SIGKILL");
          place.release();
          await stop;
          await busbar.pipeline(place.id, ({ status }) => status === "stopped");
          await busbar.fetch(`/api/v1/pipelines/${place.id}/start`, { method: "POST" });
          if (place.twin.fleeting) return await place.settled(busbar);
          place.add(40);
          await given(place, 1);
        });
        busbar.kill("SIGKILL");
        await busbar.exited();
      });
      await bench.host(pipelines, async (busbar) => {
        await bench.each(async (place) => {
          place.add(40);
          await place.settled(busbar);
        });
        assert.equal((await busbar.stop()).code, 0);
      });
      await bench.each(async (place) => {
        assertDelivered(await place.delivered(), place.expected, { again: !place.twin.once });
      });
    }));
}
