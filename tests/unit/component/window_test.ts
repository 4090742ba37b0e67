import assert from "node:assert/strict";
import { BatchFlag, Status } from "../../../ffi/layout.ts";
import type { BuiltinInstance } from "../../../src/component/builtin.ts";
import type { SavedState } from "../../../src/component/component.ts";
import { type Given, given, json, numbers, processed } from "./processing.ts";
import { type TestEvent, withBatch, withBuiltin } from "./support.ts";

const START = 1_795_000_020_000;
const at = (ms: number) => BigInt(START + ms) * 1_000_000n;
const iso = (ms: number) => new Date(START + ms).toISOString();

/** JSON events with the time `at`, in milliseconds after START, in it. */
function timed(...values: { at: number; key?: string; [name: string]: unknown }[]): TestEvent[] {
  return values.map((value) => ({
    ...json(value)[0]!,
    key: value.key ?? "",
    timestamp: at(value.at),
  }));
}

/** Ticks at `now`, in milliseconds after START, until there is no MORE. */
async function ticked(instance: BuiltinInstance, now: number, flags = 0): Promise<Given[]> {
  const events: Given[] = [];
  await withBatch({ bytes: 8 }, (batch) =>
    withBatch({ limit: 3 }, (out) => {
      batch.outputs = [out];
      batch.flags = flags;
      batch.now = at(now);
      for (;;) {
        const status = instance.tick(batch);
        events.push(...given(out));
        out.reset();
        if (status === Status.OK) break;
        assert.equal(status, Status.MORE);
      }
    }));
  return events;
}

const values = (events: readonly Given[]) => events.map(({ payload }) => JSON.parse(payload));

Deno.test("window makes one event of those that lie in a window, with key and time", async () => {
  const config = {
    size: "1m",
    key: "payload.room",
    aggregates: {
      n: { count: true },
      hot: { count: "payload.t > 20" },
      total: { sum: "payload.t" },
      mean: { avg: "payload.t" },
      least: { min: "payload.t" },
      most: { max: "payload.t" },
      first: { first: "payload.t" },
      last: { last: "payload" },
      sensors: { distinct: "payload.sensor" },
      all: { collect: "payload.t", limit: 2 },
      median: { percentile: "payload.t", p: 50 },
    },
  };
  await withBuiltin("window", { config }, async ({ instance }) => {
    const { outputs: [out] } = await processed(
      instance,
      timed(
        { at: 2000, room: "a", t: 19, sensor: 1 },
        { at: 1000, room: "a", t: 21, sensor: 2 },
        { at: 3000, room: "b", t: 5, sensor: 1 },
        { at: 3000, room: "a", t: 26, sensor: 1 },
        { at: 60_000, room: "a", t: 1, sensor: 9 },
      ),
    );
    const window = { start: iso(0), end: iso(60_000) };
    assert.deepEqual(values(out!), [
      {
        window,
        key: "a",
        n: 3,
        hot: 2,
        total: 66,
        mean: 22,
        least: 19,
        most: 26,
        first: 21,
        last: { at: 3000, room: "a", t: 26, sensor: 1 },
        sensors: 2,
        all: [19, 21],
        median: JSON.parse(out![0]!.payload).median,
        truncated: ["all"],
      },
      {
        window,
        key: "b",
        n: 1,
        hot: 0,
        total: 5,
        mean: 5,
        least: 5,
        most: 5,
        first: 5,
        last: { at: 3000, room: "b", t: 5, sensor: 1 },
        sensors: 1,
        all: [5],
        median: 5,
      },
    ]);
    assert.ok(Math.abs(values(out!)[0].median / 21 - 1) < 0.005);
    const [{ key, timestamp, sequence, contentType, marked }] = out as [Given];
    assert.deepEqual({ key, timestamp, sequence, contentType, marked }, {
      key: "a",
      timestamp: at(60_000),
      sequence: 0,
      contentType: "json",
      marked: false,
    });
  });
});

interface Sample {
  at: number;
  key: string;
  v: number;
}

/** What windows come to, worked out by looking at every event again for each. */
class Reference {
  readonly closed: string[] = [];
  readonly late: number[] = [];
  readonly #seen: (Sample & { index: number })[] = [];
  readonly #times: number[] = [];
  #opened: { start: number; key: string; index: number }[] = [];
  #closedTo = -Infinity;

  constructor(readonly size: number, readonly slide: number, readonly lateness: number) {}

  add(sample: Sample, index: number): void {
    const mine = this.#startsOf(sample.at).filter((start) => start + this.size > this.#closedTo);
    if (mine.length === 0) this.late.push(index);
    this.#seen.push({ ...sample, index });
    this.#opened.push(...mine.map((start) => ({ start, key: sample.key, index })));
    const latest = Math.max(...this.#times, sample.at);
    this.#times.push(sample.at);
    this.#closedTo = Math.max(this.#closedTo, latest - this.lateness);
    this.#close();
  }

  #startsOf(at: number): number[] {
    const starts = [];
    const base = START % this.slide;
    for (let start = -100 * this.slide - base; start <= at; start += this.slide) {
      if (start + this.size > at) starts.push(start);
    }
    return starts;
  }

  #close(): void {
    const due = this.#opened.filter(({ start }) => start + this.size <= this.#closedTo);
    this.#opened = this.#opened.filter((one) => !due.includes(one));
    const groups = Map.groupBy(due, ({ start, key }) => `${start} ${key}`);
    const sorted = [...groups.values()].sort((a, b) => a[0]!.start - b[0]!.start);
    for (const group of sorted) {
      const { start, key } = group[0]!;
      const those = group.map(({ index }) => this.#seen.find((one) => one.index === index)!);
      const list = those.map(({ v }) => v);
      const rank = Math.max(1, Math.ceil(0.9 * list.length));
      this.closed.push(JSON.stringify([
        iso(start),
        key,
        those.length,
        list.reduce((a, b) => a + b, 0),
        Math.min(...list),
        Math.max(...list),
        those.reduce((a, b) => b.at < a.at ? b : a).v,
        those.reduce((a, b) => b.at >= a.at ? b : a).v,
        new Set(list).size,
        list.toSorted((a, b) => a - b)[rank - 1],
      ]));
    }
  }
}

Deno.test("window closes what a plain reckoning closes, over restarts and with little room", async () => {
  const chance = numbers(5);
  const next = (below: number) => Math.floor((chance.next().value as number) * below);
  for (
    const [size, slide, lateness] of [[1000, 1000, 0], [1000, 300, 500], [700, 100, 50]] as const
  ) {
    const config = {
      size: `${size}ms`,
      slide: `${slide}ms`,
      lateness: `${lateness}ms`,
      idle_timeout: "0s",
      key: "key",
      aggregates: {
        n: { count: true },
        total: { sum: "payload.v" },
        least: { min: "payload.v" },
        most: { max: "payload.v" },
        earliest: { first: "payload.v" },
        latest: { last: "payload.v" },
        different: { distinct: "payload.v" },
        p90: { percentile: "payload.v", p: 90 },
      },
    };
    const reference = new Reference(size, slide, lateness);
    const closed: string[] = [];
    const late: number[] = [];
    const off: number[] = [];
    let state: SavedState | undefined;
    let clock = 0;
    let index = 0;
    for (let run = 0; run < 4; run++) {
      await withBuiltin("window", { config, now: () => START }, async ({ instance }) => {
        if (state !== undefined) assert.equal(await instance.restore(state), Status.OK);
        for (let round = 0; round < 20; round++) {
          const samples = Array.from({ length: next(40) }, () => ({
            at: Math.max(0, (clock += next(60)) - next(3) * next(1500)),
            key: "é".repeat(next(3)),
            v: next(200) - 100,
          }));
          samples.forEach((sample, i) => reference.add(sample, index + i));
          const { outputs: [out, lateOut] } = await processed(instance, timed(...samples), {
            limit: 3,
          });
          for (const { window, key, p90, ...rest } of values(out!)) {
            closed.push(JSON.stringify([window.start, key, ...Object.values(rest)]));
            off.push(p90);
          }
          late.push(...lateOut!.map(({ sequence }) => index + sequence - 1));
          index += samples.length;
        }
        state = await instance.save() as SavedState;
      });
    }
    assert.ok(closed.length > 100 && late.length > 5, `${closed.length} ${late.length}`);
    assert.deepEqual(late, reference.late);
    const expected = reference.closed.map((text) => JSON.parse(text));
    assert.deepEqual(closed, expected.map((one) => JSON.stringify(one.slice(0, -1))));
    expected.forEach((one, i) => {
      const exact = one.at(-1);
      assert.ok(Math.abs(off[i]! - exact) <= Math.abs(exact) * 0.005 + 1e-9, `${off[i]} ${exact}`);
    });
  }
});

Deno.test("window waits for the source that is behind, until that is quiet", async () => {
  let now = START;
  const given = {
    config: { size: "10s", idle_timeout: "5s", aggregates: { from: { collect: "source" } } },
    sources: ["fast", "slow"],
    now: () => now,
  };
  await withBuiltin("window", given, async ({ instance }) => {
    const from = async (source: number, ...times: number[]) => {
      const events = timed(...times.map((at) => ({ at })));
      const { outputs: [out] } = await processed(instance, events, { source });
      return out!.map(({ payload }) => JSON.parse(payload).from);
    };
    assert.deepEqual(await from(0, 1000), []);
    assert.deepEqual(await from(1, 1500), []);
    assert.deepEqual(await from(0, 30_000), [], "slow is at 1500");
    assert.deepEqual(await from(1, 2000), []);
    assert.deepEqual(await from(1, 10_000), [["fast", "slow", "slow"]]);
    now += 4000;
    assert.deepEqual(await from(0, 31_000), []);
    assert.deepEqual(await ticked(instance, 4900), []);
    assert.deepEqual(await ticked(instance, 5000), [], "what had to wait gets its turn");
    assert.equal(instance.takeWake(), true);
    assert.deepEqual(values(await ticked(instance, 5000)).map(({ from }) => from), [["slow"]]);
    assert.deepEqual(await ticked(instance, 12_000), []);
    assert.deepEqual(
      values(await ticked(instance, 12_000)).map(({ from }) => from),
      [],
      "all are quiet: 31 s and 8 s",
    );
    assert.deepEqual(values(await ticked(instance, 13_000)).map(({ window }) => window.start), [
      iso(30_000),
    ]);
  });
});

Deno.test("window by arrival closes when the clock says so", async () => {
  let now = START + 500;
  const config = { size: "1s", time: "processing" };
  await withBuiltin("window", { config, now: () => now }, async ({ instance }) => {
    const arrive = async (count: number) =>
      values((await processed(instance, json(...Array(count).keys()))).outputs[0]!)
        .map(({ count }) => count);
    assert.deepEqual(await arrive(3), []);
    now = START + 999;
    assert.deepEqual(await arrive(2), []);
    assert.deepEqual(await ticked(instance, 999), []);
    assert.deepEqual(values(await ticked(instance, 1000)), [
      { window: { start: iso(0), end: iso(1000) }, count: 5 },
    ]);
    now = START + 1500;
    assert.deepEqual(await arrive(1), []);
    now = START + 2000;
    assert.deepEqual(await arrive(1), [1]);
  });
});

Deno.test("window emits open windows now and then, and at the stop, as not final", async () => {
  const config = { size: "1h", emit_every: "10s", emit_on_stop: true, idle_timeout: "0s" };
  await withBuiltin("window", { config, now: () => START }, async ({ instance }) => {
    const counts = async (now: number, flags = 0) =>
      values(await ticked(instance, now, flags)).map(({ count, final }) => [count, final]);
    const hour = 3_600_000;
    assert.deepEqual(await counts(0), []);
    await processed(instance, timed({ at: 1 }, { at: 2 }));
    assert.deepEqual(await counts(9000), []);
    assert.deepEqual(await counts(10_000), [[2, false]]);
    assert.deepEqual(await counts(30_000), [], "nothing came");
    await processed(instance, timed({ at: 3 }));
    assert.deepEqual(await counts(31_000, BatchFlag.DRAIN), [[3, false]]);
    const { outputs: [out] } = await processed(instance, timed({ at: hour }));
    assert.deepEqual(values(out!).map(({ count, final }) => [count, final]), [[3, true]]);
  });
  await withBuiltin("window", { config: { size: "1h" } }, async ({ instance }) => {
    await processed(instance, timed({ at: 1 }, { at: 2 }));
    assert.deepEqual(await ticked(instance, 1000, BatchFlag.DRAIN), []);
  });
});

Deno.test("window emits those that having wants, and marks those that it fails on", async () => {
  const config = {
    size: "1s",
    key: "key",
    aggregates: { n: { count: true }, last: { last: "payload.v" } },
    having: 'n > 1 && key != "c" && start < end && last > 0',
  };
  await withBuiltin("window", { config }, async ({ instance }) => {
    const { outputs: [out] } = await processed(
      instance,
      timed(
        { at: 1, key: "a", v: 1 },
        { at: 1, key: "b", v: 1 },
        { at: 2, key: "b", v: 2 },
        { at: 1, key: "c", v: 1 },
        { at: 2, key: "c", v: 2 },
        { at: 1, key: "d", v: 1 },
        { at: 2, key: "d", v: "x" },
        { at: 1000, key: "a", v: 1 },
      ),
    );
    assert.deepEqual(out!.map(({ key, marked }) => [key, marked]), [["b", false], ["d", true]]);
    assert.match(out![1]!.attributes["busbar.error"]!, /^Cannot evaluate having: /);
  });
});

Deno.test("window keeps at most max_windows open, by the policy", async () => {
  const events = timed(
    { at: 1000, key: "a" },
    { at: 1000, key: "b" },
    { at: 1000, key: "c" },
    { at: 2000, key: "a" },
  );
  const given = (when_full: string) => ({
    config: { size: "1s", lateness: "1h", key: "key", max_windows: 2, when_full },
  });
  await withBuiltin("window", given("dead_letter"), async ({ instance }) => {
    const { outputs: [out], refused } = await processed(instance, events);
    assert.deepEqual(out, []);
    const why = "Cannot open a window: 2 are open, max_windows is 2";
    assert.deepEqual(refused, [[3, why], [4, why]]);
  });
  await withBuiltin("window", given("drop"), async ({ instance }) => {
    const { outputs: [out], refused } = await processed(instance, events);
    assert.deepEqual([out, refused], [[], []]);
  });
  await withBuiltin("window", given("close_oldest"), async ({ instance }) => {
    const { outputs: [out, late] } = await processed(instance, events, { limit: 1 });
    assert.deepEqual(out!.map(({ key }) => key), ["a", "b"]);
    assert.deepEqual(late!.map(({ key }) => key), ["c"]);
  });
});

Deno.test("window goes on with the time of events that find no room", async () => {
  for (const when_full of ["dead_letter", "drop", "close_oldest"]) {
    const config = { size: "1s", key: "key", max_windows: 2, when_full, idle_timeout: "0s" };
    await withBuiltin("window", { config }, async ({ instance }) => {
      const events = timed(...["a", "b"].map((key) => ({ at: 0, key })), { at: 1000, key: "c" });
      const { outputs: [out], refused } = await processed(instance, events, { limit: 1 });
      assert.deepEqual(out!.map(({ key }) => key), ["a", "b"], when_full);
      assert.deepEqual(refused, []);
    });
  }
});

Deno.test("window does not wait for a clock that was set back", async () => {
  const HOUR = 3_600_000;
  let now = START + HOUR;
  const config = { size: "1s", emit_every: "10s", idle_timeout: "5s" };
  await withBuiltin("window", { config, now: () => now }, async ({ instance }) => {
    await processed(instance, timed({ at: HOUR }));
    assert.deepEqual((await ticked(instance, HOUR)).length, 1);
    now = START;
    await processed(instance, timed({ at: HOUR + 1 }));
    assert.deepEqual(await ticked(instance, 0), []);
    await ticked(instance, 5000);
    assert.deepEqual(values(await ticked(instance, 5000)).map(({ final }) => final), [true]);
  });
});

Deno.test("window refuses events that it cannot place, and counts nothing of them", async () => {
  const config = { size: "1s", aggregates: { a: { sum: "payload.a" }, b: { sum: "payload.b" } } };
  const events = [
    ...timed({ at: 0, a: 1, b: 1 }, { at: 0, a: 1 }, { at: 0, a: "x", b: 1 }),
    { ...timed({ at: 0, a: 1, b: 1 })[0]!, timestamp: 0n },
    ...timed({ at: 1, a: 2, b: 2 }, { at: 1000, a: 0, b: 0 }),
  ];
  await withBuiltin("window", { config }, async ({ instance }) => {
    const { outputs: [out], refused } = await processed(instance, events);
    assert.deepEqual(values(out!).map(({ a, b }) => [a, b]), [[3, 3]]);
    assert.deepEqual(refused.map(([sequence]) => sequence), [2, 3, 4]);
    assert.equal(refused[2]![1], "Cannot tell its window: the event has no time");
  });
  const marking = { config: { ...config, on_error: "mark" } };
  await withBuiltin("window", marking, async ({ instance }) => {
    const { outputs: [out] } = await processed(instance, events, { limit: 2 });
    assert.deepEqual(out!.map(({ marked }) => marked), [true, true, true, false]);
  });
});

Deno.test("window does not let a time far ahead close everything", async () => {
  const given = { config: { size: "1s", max_ahead: "1m" }, now: () => START };
  await withBuiltin("window", given, async ({ instance }) => {
    const events = timed({ at: 0 }, { at: 1e12 }, { at: 1 }, { at: 60_000 });
    const { outputs: [out], refused } = await processed(instance, events);
    assert.deepEqual(values(out!).map(({ count }) => count), [2]);
    assert.deepEqual(refused.map(([sequence]) => sequence), [2]);
    assert.match(refused[0]![1], /^Cannot use its time: 2058-.* is ahead of the clock$/);
  });
});

Deno.test("window collects a bounded list, and counts long values by a digest", async () => {
  const config = {
    size: "1s",
    aggregates: { all: { collect: "payload.v" }, n: { distinct: "payload.v" } },
  };
  const long = "x".repeat(300_000);
  await withBuiltin("window", { config }, async ({ instance }) => {
    const events = timed(
      ...[1, 2, 3, 4, 1, 2].map((n) => ({ at: 0, v: `${n}${long}` })),
      { at: 1000, v: 0 },
    );
    const { outputs: [out] } = await processed(instance, events);
    const [{ all, n, truncated }] = values(out!);
    assert.deepEqual([all.length, n, truncated], [3, 4, ["all"]]);
  });
});

Deno.test("window drops windows that were made with other settings, and says so", async () => {
  const state: SavedState[] = [];
  await withBuiltin("window", { config: { size: "1s" } }, async ({ instance }) => {
    await processed(instance, timed({ at: 1 }));
    state.push(await instance.save() as SavedState);
  });
  await withBuiltin("window", { config: { size: "2s" } }, async ({ instance, logs }) => {
    assert.equal(await instance.restore(state[0]!), Status.OK);
    assert.equal(logs[0]!.fields["open"], 1);
    assert.deepEqual((await processed(instance, timed({ at: 9000 }))).outputs[0], []);
    for (const data of [new Uint8Array(3), state[0]!.data.subarray(5)]) {
      assert.equal(await instance.restore({ version: 1, data }), Status.INVALID);
      assert.match(instance.error(), /^Cannot read the state/);
    }
    assert.equal(await instance.restore({ ...state[0]!, version: 2 }), Status.INVALID);
  });
});

Deno.test("window refuses sizes that make no windows", async () => {
  for (
    const [config, message] of [
      [{ size: "1s", slide: "2s" }, /^Error: Cannot slide windows by 2s: events would lie between/],
      [{ size: "1d", slide: "1ms" }, /each event would lie in 86400000 of them/],
      [{ size: "0s" }, /Cannot use size: 0s: at least 1ms/],
    ] as const
  ) {
    await assert.rejects(withBuiltin("window", { config }, () => {}), message);
  }
});
