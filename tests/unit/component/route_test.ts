import assert from "node:assert/strict";
import { json, numbers, processed } from "./processing.ts";
import { withBuiltin } from "./support.ts";

const routes = { low: "payload.n < 3", even: "payload.n % 2 == 0", high: "payload.n > 6" };
const outputs = ["else", "low", "even", "high"];
const HOLDS: Record<string, (n: number) => boolean> = {
  low: (n) => n < 3,
  even: (n) => n % 2 === 0,
  high: (n) => n > 6,
};

function some(seed: number): number[] {
  const chance = numbers(seed);
  return Array.from({ length: 700 }, () => Math.floor((chance.next().value as number) * 10));
}

for (const mode of ["first", "all"]) {
  Deno.test(`route to ${mode} sorts events as a plain loop does`, async () => {
    const values = some(mode.length);
    await withBuiltin("route", { config: { routes, mode }, outputs }, async ({ instance }) => {
      for (const shape of [{}, { limit: 5 }, { bytes: 256 }]) {
        const { outputs: found } = await processed(
          instance,
          json(...values.map((n) => ({ n }))),
          shape,
        );
        const names = (n: number) => {
          const all = Object.keys(HOLDS).filter((name) => HOLDS[name]!(n));
          return all.length === 0 ? ["else"] : mode === "first" ? all.slice(0, 1) : all;
        };
        for (const [index, output] of outputs.entries()) {
          assert.deepEqual(
            found[index]!.map(({ sequence }) => sequence),
            values.flatMap((n, i) => names(n).includes(output) ? [i + 1] : []),
            output,
          );
        }
      }
    });
  });
}

Deno.test("route sends nothing of an event that one of its conditions fails on", async () => {
  const config = { routes: { a: "true", b: "payload.n > 0" }, mode: "all" };
  await withBuiltin("route", { config, outputs: ["else", "a", "b"] }, async ({ instance }) => {
    const { outputs: [, a, b], refused } = await processed(instance, json({ n: 1 }, {}, { n: 0 }));
    assert.deepEqual([a, b].map((output) => output!.map(({ sequence }) => sequence)), [[1, 3], [
      1,
    ]]);
    assert.deepEqual(refused, [[2, "Cannot evaluate routes.b: No such key: n"]]);
  });
});

Deno.test("route marks what it fails on and sends it to else", async () => {
  const config = { routes: { a: "payload.n > 0" }, on_error: "mark" };
  await withBuiltin("route", { config, outputs: ["else", "a"] }, async ({ instance }) => {
    const { outputs: [others, a] } = await processed(instance, json({ n: 1 }, {}, { n: 0 }));
    assert.deepEqual(a!.map(({ sequence }) => sequence), [1]);
    assert.deepEqual(others!.map(({ sequence, marked }) => [sequence, marked]), [
      [2, true],
      [3, false],
    ]);
  });
});

Deno.test("route does without outputs that nobody reads", async () => {
  await withBuiltin("route", { config: { routes }, outputs: ["else", "low"] }, async (host) => {
    const { outputs: found } = await processed(host.instance, json({ n: 1 }, { n: 4 }, { n: 5 }));
    assert.deepEqual(found.map((output) => output.map(({ sequence }) => sequence)), [[3], [1]]);
  });
});
