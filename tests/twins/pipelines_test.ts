/** Whole pipelines of built-in components, of their native twins, and of both. */
import assert from "node:assert/strict";
import { waitFor } from "../support/busbar.ts";
import { assertDelivered, type Place, withBench } from "./bench.ts";
import { wholes } from "./pairs.ts";

Deno.test("in every mixture each line is there once after crashes of cell and host, and a rotation", () =>
  withBench(wholes(), async (bench) => {
    const pipelines = (place: Place) => place.pipeline({ batch: { max_events: 16 } });
    await bench.host(pipelines, async (busbar) => {
      await bench.each(async (place) => {
        place.add(500);
        const { cell, restarts } = await busbar.pipeline(
          place.id,
          ({ status, components }) => status === "running" && components[2].eventsIn > 0,
        );
        place.add(1500);
        Deno.kill(cell.pid, "SIGKILL");
        await busbar.pipeline(
          place.id,
          (now) => now.restarts > restarts && now.status === "running",
        );
        place.add(500);
        await Deno.rename(place.input, `${place.input}.1`);
        place.add(1500);
        // Some of the new file is finished, so the old one is.
        await waitFor(() => place.finished() > 2500, { busbar });
        place.add(1500);
      });
      busbar.kill("SIGKILL");
      await busbar.exited();
    });
    await bench.host(pipelines, async (busbar) => {
      await bench.each(async (place) => {
        place.add(500);
        await place.settled(busbar);
      });
      assert.equal((await busbar.stop()).code, 0);
    });
    await bench.each(async (place) => {
      assertDelivered(await place.delivered(), place.expected);
    });
  }));
