import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinInstance } from "../../../src/component/builtin.ts";
import type { SavedState } from "../../../src/component/component.ts";
import { numbers, processed } from "./processing.ts";
import { type TestEvent, withBuiltin } from "./support.ts";

const START = 1_795_000_000_000;
const events = (keys: readonly string[]): TestEvent[] => keys.map((key) => ({ payload: "x", key }));

Deno.test("dedupe passes on the first of the same within its window, as a plain loop does", async () => {
  const chance = numbers(11);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  for (const max_entries of [20, 100_000]) {
    const clock = { now: START };
    const given = { config: { key: "key", window: "10s", max_entries }, now: () => clock.now };
    let seen: { key: string; at: number }[] = [];
    let state: SavedState | undefined;
    for (let run = 0; run < 4; run++) {
      await withBuiltin("dedupe", given, async ({ instance }) => {
        if (state !== undefined) assert.equal(await instance.restore(state), Status.OK);
        for (let round = 0; round < 60; round++) {
          clock.now += next(1500);
          const keys = Array.from({ length: next(40) }, () => "é".repeat(next(3)) + next(60));
          const expected = keys.map((key) => {
            seen = seen.filter(({ at }) => at + 10_000 > clock.now);
            if (seen.some((one) => one.key === key)) return false;
            if (seen.length >= max_entries) seen.shift();
            seen.push({ key, at: clock.now });
            return true;
          });
          const { outputs: [out, duplicates] } = await processed(instance, events(keys), {
            limit: 7,
          });
          const numbersOf = (wanted: boolean) =>
            expected.flatMap((first, i) => first === wanted ? [i + 1] : []);
          assert.deepEqual(out!.map(({ sequence }) => sequence), numbersOf(true));
          assert.deepEqual(duplicates!.map(({ sequence }) => sequence), numbersOf(false));
        }
        state = await instance.save() as SavedState;
        assert.ok(state.data.length < seen.length * 24, `${state.data.length}`);
      });
    }
  }
});

Deno.test("dedupe remembers no longer because the clock was set back", async () => {
  const clock = { now: START };
  const given = { config: { key: "key", window: "10s" }, now: () => clock.now };
  let state: SavedState | number = 0;
  const passes = async (instance: BuiltinInstance, keys: string) => {
    const { outputs: [out] } = await processed(instance, events([...keys]));
    return out!.map(({ key }) => key).join("");
  };
  await withBuiltin("dedupe", given, async ({ instance }) => {
    assert.equal(await passes(instance, "aa"), "a");
    clock.now -= 3_600_000;
    assert.equal(await passes(instance, "ab"), "b");
    clock.now += 9999;
    assert.equal(await passes(instance, "ab"), "");
    clock.now += 1;
    assert.equal(await passes(instance, "aab"), "ab");
    state = await instance.save();
  });
  await withBuiltin("dedupe", given, async ({ instance }) => {
    await instance.restore(state as SavedState);
    assert.equal(await passes(instance, "ab"), "");
    clock.now += 10_000;
    assert.equal(await passes(instance, "ab"), "ab");
  });
});

Deno.test("dedupe tells long keys apart, and keeps them short", async () => {
  const long = "k".repeat(100_000);
  await withBuiltin("dedupe", { config: { key: "key" } }, async ({ instance }) => {
    const keys = [long, `${long}x`, long, `${long}y`, `${long}x`];
    const { outputs: [out] } = await processed(instance, events(keys));
    assert.deepEqual(out!.map(({ sequence }) => sequence), [1, 2, 4]);
    assert.ok((await instance.save() as SavedState).data.length < 300);
  });
});

Deno.test("dedupe remembers many in bounded memory", async () => {
  const config = { key: "key", window: "1h", max_entries: 5000 };
  await withBuiltin("dedupe", { config }, async ({ instance }) => {
    for (let batch = 0; batch < 20; batch++) {
      const keys = Array.from({ length: 5000 }, (_, i) => `event-${batch}-${i}`);
      const { outputs: [out] } = await processed(instance, events([...keys, ...keys.slice(2500)]), {
        limit: 10_000,
      });
      assert.equal(out!.length, 5000);
    }
    const { data } = await instance.save() as SavedState;
    assert.equal(data.length, 5000 * 12 + [...Array(5000).keys()].join("").length + 5000 * 9);
  });
});

Deno.test("dedupe refuses a state that is not its own", async () => {
  await withBuiltin("dedupe", { config: { key: "key" } }, async ({ instance }) => {
    for (
      const state of [{ version: 2, data: new Uint8Array(0) }, {
        version: 1,
        data: new Uint8Array(5),
      }]
    ) {
      assert.equal(await instance.restore(state), Status.INVALID);
      assert.match(instance.error(), /^Cannot read the state/);
    }
  });
});
