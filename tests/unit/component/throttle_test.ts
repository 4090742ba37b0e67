import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import type { SavedState } from "../../../src/component/component.ts";
import { json, numbers, processed } from "./processing.ts";
import { withBuiltin } from "./support.ts";

const START = 1_795_000_000_000;

Deno.test("throttle lets pass what a bucket of tokens does, for each key", async () => {
  const clock = { now: START };
  const config = { events: 10, period: "2s", burst: 15, key: "payload.user" };
  const chance = numbers(3);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  await withBuiltin("throttle", { config, now: () => clock.now }, async ({ instance }) => {
    const buckets = new Map<string, { tokens: number; at: number }>();
    let passed = 0;
    for (let round = 0; round < 200; round++) {
      clock.now += next(400);
      const values = Array.from({ length: next(30) }, () => ({ user: `u${next(4)}` }));
      const expected = values.map(({ user }) => {
        const bucket = buckets.get(user) ?? { tokens: 15, at: clock.now };
        const tokens = Math.min(15, bucket.tokens + (clock.now - bucket.at) * (10 / 2000));
        const passes = tokens >= 1;
        buckets.set(user, { tokens: passes ? tokens - 1 : tokens, at: clock.now });
        return passes;
      });
      const { outputs: [out, limited] } = await processed(instance, json(...values), { limit: 9 });
      const numbersOf = (wanted: boolean) =>
        expected.flatMap((passes, i) => passes === wanted ? [i + 1] : []);
      assert.deepEqual(out!.map(({ sequence }) => sequence), numbersOf(true));
      assert.deepEqual(limited!.map(({ sequence }) => sequence), numbersOf(false));
      passed += out!.length;
    }
    assert.ok(passed > 500, `${passed}`);
  });
});

Deno.test("throttle goes on after a restart with what was used before", async () => {
  const clock = { now: START };
  const given = { config: { events: 4, key: "key" }, now: () => clock.now };
  const events = (keys: string) => [...keys].map((key) => ({ payload: "", key }));
  let state: SavedState | number = 0;
  await withBuiltin("throttle", given, async ({ instance }) => {
    const { outputs: [out] } = await processed(instance, events("aaaaaabbc"));
    assert.equal(out!.map(({ key }) => key).join(""), "aaaabbc");
    clock.now += 250;
    // The bucket of c is full again, and not kept.
    state = await instance.save();
    assert.equal((state as SavedState).data.length, 2 * (4 + 1 + 16));
  });
  await withBuiltin("throttle", given, async ({ instance }) => {
    assert.equal(await instance.restore(state as SavedState), Status.OK);
    const { outputs: [out] } = await processed(instance, events("aabbbbcccccc"));
    assert.equal(out!.map(({ key }) => key).join(""), "abbbcccc");
  });
});

Deno.test("throttle remembers keys in any language", async () => {
  const keys = ["", "é", "😀€", "a".repeat(3000), "日本語"];
  const events = keys.map((key) => ({ payload: "", key }));
  const given = { config: { events: 1, period: "1h", key: "key" }, now: () => START };
  let state: SavedState | number = 0;
  await withBuiltin("throttle", given, async ({ instance }) => {
    assert.equal((await processed(instance, events)).outputs[0]!.length, keys.length);
    state = await instance.save();
  });
  await withBuiltin("throttle", given, async ({ instance }) => {
    assert.equal(await instance.restore(state as SavedState), Status.OK);
    assert.deepEqual((await processed(instance, events)).outputs[0], []);
  });
});

Deno.test("throttle forgets the key that was quiet longest", async () => {
  const clock = { now: START };
  const given = {
    config: { events: 1, period: "1h", key: "key", max_keys: 3 },
    now: () => clock.now,
  };
  const events = (keys: string) => [...keys].map((key) => ({ payload: "", key }));
  await withBuiltin("throttle", given, async ({ instance }) => {
    // d has b forgotten, b then c, c then a, and a then d.
    const { outputs: [out] } = await processed(instance, events("abcadbca"));
    assert.equal(out!.map(({ key }) => key).join(""), "abcdbca");
  });
});

Deno.test("throttle fills nothing when the clock is set back, and goes on from there", async () => {
  const clock = { now: START };
  const given = { config: { events: 1, period: "1s" }, now: () => clock.now };
  await withBuiltin("throttle", given, async ({ instance }) => {
    const passes = async () => (await processed(instance, json(1))).outputs[0]!.length;
    assert.equal(await passes(), 1);
    clock.now -= 60_000;
    assert.equal(await passes(), 0);
    clock.now += 999;
    assert.equal(await passes(), 0);
    clock.now += 1;
    assert.equal(await passes(), 1);
  });
});

Deno.test("throttle refuses a state that is not its own", async () => {
  await withBuiltin("throttle", { config: { events: 1 } }, async ({ instance }) => {
    for (
      const state of [{ version: 9, data: new Uint8Array(0) }, {
        version: 1,
        data: new Uint8Array([255, 0, 0, 0, 1]),
      }]
    ) {
      assert.equal(await instance.restore(state), Status.INVALID);
      assert.match(instance.error(), /^Cannot read the state/);
    }
  });
});

Deno.test("throttle wants time to pass", async () => {
  const config = { events: 1, period: "0s" };
  await assert.rejects(withBuiltin("throttle", { config }, () => {}), /no time passes/);
});
