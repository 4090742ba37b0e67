import assert from "node:assert/strict";
import { waitFor } from "../../support/busbar.ts";
import { callsOf, collect, cpuMs, numbers, pass, recorderOf, withPipelines } from "./support.ts";

Deno.test("an idle cell and its host use next to no processor time", async () => {
  const idle = (count: number) => numbers(count, { idle: true });
  const pipelines = {
    web: {
      sources: { a: idle(10), b: idle(1) },
      processors: { pass: pass(["a", "b"]) },
      reactions: {
        collect: collect(["pass"], { pending: true }),
        blocking: { use: "probe/collect-blocking", from: ["pass"] },
        stats: { use: "builtin/stats", from: ["pass"] },
      },
      checkpoint_interval: "10ms",
    },
  };
  await withPipelines(pipelines, async (busbar) => {
    const { cell } = await busbar.pipeline(
      "web",
      ({ components }) => components[4].eventsIn === 11,
    );
    const polls = async () => callsOf((await recorderOf(cell.pid)).component(0));
    // The waits between two polls have reached their longest, and what the host has to do after its start is done.
    const settled = 25;
    await waitFor(async () => await polls() > settled, { busbar });
    const used = () => Promise.all([cpuMs(cell.pid), cpuMs(busbar.pid)]);
    const before = { at: performance.now(), polls: await polls(), used: await used() };
    await waitFor(async () => await polls() >= before.polls + 10, { busbar });
    const now = await used();
    const elapsed = performance.now() - before.at;
    for (const [i, name] of ["cell", "host"].entries()) {
      const cpu = now[i]! - before.used[i]!;
      assert.ok(cpu < elapsed * 0.05, `${name}: ${cpu} ms of processor time in ${elapsed} ms`);
    }
  });
});
