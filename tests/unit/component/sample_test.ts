import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinInstance } from "../../../src/component/builtin.ts";
import type { SavedState } from "../../../src/component/component.ts";
import { json, processed } from "./processing.ts";
import { withBuiltin } from "./support.ts";

async function sequences(
  instance: BuiltinInstance,
  events = json(...Array(10_000).fill({ n: 1 })),
) {
  const { outputs } = await processed(instance, events);
  return outputs.map((output) => output.map(({ sequence }) => sequence));
}

Deno.test("sample passes on the first of every n events, also over a restart", async () => {
  let state: SavedState | number = 0;
  await withBuiltin("sample", { config: { every: 7 } }, async ({ instance }) => {
    assert.deepEqual(await sequences(instance, json(...Array(10).fill(1))), [
      [1, 8],
      [2, 3, 4, 5, 6, 7, 9, 10],
    ]);
    state = await instance.save();
  });
  await withBuiltin("sample", { config: { every: 7 } }, async ({ instance }) => {
    assert.equal(await instance.restore(state as SavedState), Status.OK);
    // Three have gone by since the last one.
    assert.deepEqual((await sequences(instance, json(...Array(10).fill(1))))[0], [5]);
  });
  await withBuiltin("sample", { config: { every: 1 } }, async ({ instance }) => {
    assert.equal(await instance.restore(state as SavedState), Status.OK);
    assert.deepEqual((await sequences(instance, json(1, 2)))[0], [1, 2]);
  });
});

Deno.test("sample passes on a part of the events, the same ones when they come again", async () => {
  for (const probability of [0, 0.1, 0.5, 1]) {
    await withBuiltin("sample", { config: { probability } }, async ({ instance }) => {
      const [out, rejected] = await sequences(instance);
      assert.ok(Math.abs(out!.length - probability * 10_000) < 300, `${out!.length}`);
      assert.equal(out!.length + rejected!.length, 10_000);
      assert.deepEqual(await sequences(instance), [out, rejected]);
      assert.equal(instance.has("save"), false);
    });
  }
  const chosen = (seed: number) => {
    let found: number[][] = [];
    return withBuiltin("sample", { config: { probability: 0.5, seed } }, async ({ instance }) => {
      found = await sequences(instance);
    }).then(() => found[0]!);
  };
  const [first, second] = [await chosen(0), await chosen(1)];
  const both = first.filter((sequence) => second.includes(sequence));
  assert.ok(Math.abs(both.length - 2500) < 300, `${both.length}`);
});

Deno.test("sample passes on all events of a key or none", async () => {
  const events = json(...Array.from({ length: 3000 }, (_, i) => ({ user: `u${i % 300}` })));
  const config = { probability: 0.3, key: "payload.user" };
  await withBuiltin("sample", { config }, async ({ instance }) => {
    const [out, rejected] = await sequences(instance, events);
    const users = (list: number[]) => new Set(list.map((sequence) => (sequence - 1) % 300));
    assert.equal(users(out!).size + users(rejected!).size, 300);
    assert.ok(Math.abs(users(out!).size - 90) < 40, `${users(out!).size}`);
  });
});

Deno.test("sample wants one way to choose", async () => {
  const make = (config: Record<string, unknown>) => withBuiltin("sample", { config }, () => {});
  await assert.rejects(make({}), /every/);
  await assert.rejects(make({ every: 2, key: "key" }), /probability/);
  await assert.rejects(make({ every: 2, probability: 1 }), /leave one of them out/);
});

Deno.test("sample refuses a state that is not its own", async () => {
  await withBuiltin("sample", { config: { every: 7 } }, async ({ instance }) => {
    for (
      const state of [{ version: 2, data: new Uint8Array(8) }, {
        version: 1,
        data: new Uint8Array(3),
      }]
    ) {
      assert.equal(await instance.restore(state), Status.INVALID);
      assert.match(instance.error(), /^Cannot read the state of version/);
    }
  });
});
