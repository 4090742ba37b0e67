/** Lives without a crash, with built-in components and with their native twins. */
import assert from "node:assert/strict";
import type { Busbar } from "../support/busbar.ts";
import { assertDelivered, type Place, withBench } from "./bench.ts";
import { IMPLEMENTATIONS, subjects } from "./pairs.ts";

/** Longer than any test, so that batches and checkpoints are open when the host is stopped. */
const NEVER = { batch: { max_events: 1000, max_delay: "1h" }, checkpoint_interval: "1h" };

for (const implementation of IMPLEMENTATIONS) {
  Deno.test(`everything comes once over pause, stop, restart, reload and another host: ${implementation}`, () =>
    withBench(subjects(implementation), async (bench) => {
      const pipelines = (place: Place) => place.pipeline({});
      await bench.host(pipelines, async (busbar) => {
        await bench.each(async (place) => {
          if (place.twin.role === "source") await ails(busbar, place, /in\.log/);
          place.add(30);
          await place.settled(busbar);
          await steer(busbar, { place, action: "pause", status: "paused" });
          place.add(20);
          await steer(busbar, { place, action: "resume", status: "running" });
          await place.settled(busbar);
          await steer(busbar, { place, action: "stop", status: "stopped" });
          place.add(20);
          await steer(busbar, { place, action: "start", status: "running" });
          await place.settled(busbar);
          await steer(busbar, { place, action: "restart", status: "running" });
          place.target.busyEvery = 1;
          place.add(20);
          if (place.twin.sends) await ails(busbar, place, /503/);
          place.target.busyEvery = 0;
          await place.settled(busbar);
          // Of those that have nothing to say it is unknown.
          await component(busbar, place, ({ health }) => /^(healthy|unknown)$/.test(health));
          assertDelivered(await place.delivered(), place.expected);
        });
        const pids = await pidsOf(busbar, bench.places);
        const word = await bench.reload(busbar, (place) => place.pipeline(NEVER));
        assert.match(word, /^Configuration reloaded: changed /);
        await bench.each(async (place) => {
          place.add(25);
          await component(busbar, place, ({ state }) => state === "started");
          // None of them was given again, so each was counted once.
          await busbar.pipeline(
            place.id,
            ({ components }) => components[0].eventsOut === place.lines.length,
          );
        });
        const after = await pidsOf(busbar, bench.places);
        assert.ok(after.every((pid, i) => pid !== pids[i]), "every cell is another one");
        assert.equal((await busbar.stop()).code, 0);
      });
      await bench.each(async (place) => {
        assertDelivered(await place.delivered(), place.expected);
      });
      await bench.host(pipelines, async (busbar) => {
        await bench.each(async (place) => {
          place.add(20);
          await place.settled(busbar);
        });
        assert.equal((await busbar.stop()).code, 0);
      });
      await bench.each(async (place) => {
        assertDelivered(await place.delivered(), place.expected);
      });
    }));

  Deno.test(`settings that a component refuses change nothing, and its error says which: ${implementation}`, () =>
    withBench(subjects(implementation), async (bench) => {
      const pipelines = (place: Place) => place.pipeline({});
      await bench.host(pipelines, async (busbar) => {
        await bench.each(async (place) => {
          place.add(1);
          await place.settled(busbar);
        });
        const pids = await pidsOf(busbar, bench.places);
        for (const place of bench.places) {
          const { before, twin: { wrong } } = place;
          if (before !== undefined || wrong === undefined) continue;
          const other = place.pipeline({}, wrong.config);
          const word = await bench.reload(busbar, pipelines, { other });
          assert.match(word, /^Cannot reload the configuration/, place.twin.use);
          assert.match(word, wrong.says);
          assert.match(word, new RegExp(`other\\.(\\w+\\.)?${place.component}\\b`));
        }
        assert.deepEqual(await pidsOf(busbar, bench.places), pids);
        await bench.each(async (place) => {
          place.add(20);
          await place.settled(busbar);
          assertDelivered(await place.delivered(), place.expected);
        });
      });
    }));
}

async function steer(
  busbar: Busbar,
  { place, action, status }: { place: Place; action: string; status: string },
): Promise<void> {
  const path = `/api/v1/pipelines/${place.id}/${action}`;
  const { status: code, body } = await busbar.fetch(path, { method: "POST" });
  assert.ok(code < 300, JSON.stringify(body));
  await busbar.pipeline(place.id, (now) => now.status === status);
}

/** Waits until the component under test is as wanted. */
async function component(
  busbar: Busbar,
  place: Place,
  // deno-lint-ignore no-explicit-any
  matches: (component: any) => boolean,
): Promise<void> {
  await busbar.pipeline(
    place.id,
    ({ components }) =>
      matches(components.find(({ id }: { id: string }) => id === place.component)),
  );
}

/** Waits until the component under test says what is wrong. */
async function ails(busbar: Busbar, place: Place, why: RegExp): Promise<void> {
  await component(
    busbar,
    place,
    ({ health, healthMessage }) => health === "unhealthy" && why.test(healthMessage),
  );
}

async function pidsOf(busbar: Busbar, places: readonly Place[]): Promise<number[]> {
  return await Promise.all(places.map(async ({ id }) => {
    const { cell } = await busbar.pipeline(id, ({ status }) => status === "running");
    return cell.pid;
  }));
}
