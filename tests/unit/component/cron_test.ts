import assert from "node:assert/strict";
import { ContentType, Status } from "../../../ffi/layout.ts";
import { Schedules } from "../../../src/component/builtin/schedules.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { waitFor } from "../../support/busbar.ts";
import { withBatch, withBuiltin } from "./support.ts";

interface Fired {
  time: number;
  key: string;
  payload: string;
  type: number;
}

/** Where a source resumes that has given the times up to this one. */
function position(time: number, index = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setFloat64(0, time, true);
  view.setUint32(8, index, true);
  return new Uint8Array(view.buffer);
}

/** What the source gives until it has given `most` events, or none in one poll. */
async function fired(
  config: Record<string, unknown>,
  options: { position?: Uint8Array; most?: number; dataDirectory?: string; limit?: number } = {},
): Promise<{ events: Fired[]; position: Uint8Array }> {
  const { most, limit = 100 } = options;
  const events: Fired[] = [];
  let last = options.position ?? new Uint8Array(0);
  const folder = options.dataDirectory ?? await Deno.makeTempDir();
  await withBuiltin("cron", { config, dataDirectory: folder }, async ({ instance }) => {
    instance.setResume({ position: last, acknowledged: [] });
    assert.equal(await instance.start(), Status.OK, instance.error());
    await withBatch({ limit }, async (batch) => {
      await waitFor(async () => {
        for (let count = 1; count > 0;) {
          batch.reset();
          const status = await instance.poll(batch);
          assert.ok(status >= 0, instance.error());
          count = batch.count;
          const reader = new RecordReader().open(batch);
          while (reader.next()) {
            const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
            events.push({
              time: Number(reader.timestamp / 1_000_000n),
              key: text(reader.key),
              payload: text(reader.payload),
              type: reader.contentType,
            });
          }
          if (count > 0) last = batch.positionBuffer.slice(0, batch.positionLength);
          if (most !== undefined && events.length >= most) return true;
        }
        return most === undefined;
      });
    });
    await instance.stop();
  });
  if (options.dataDirectory === undefined) await Deno.remove(folder, { recursive: true });
  return { events, position: last };
}

const MINUTE = 60_000;
const minute = () => Math.floor(Date.now() / MINUTE) * MINUTE;

Deno.test("cron gives an event when it is time, with the time as its timestamp", async () => {
  const { events } = await fired({ schedule: "* * * * * *", payload: "tick" }, { most: 1 });
  assert.equal(events[0]!.payload, "tick");
  assert.equal(events[0]!.time % 1000, 0);
  assert.ok(events[0]!.time <= Date.now() && events[0]!.time > Date.now() - 60_000);
  assert.deepEqual([events[0]!.key, events[0]!.type], ["* * * * * *", ContentType.TEXT]);
});

Deno.test("cron makes up for all, the last or none of the times that were missed", async () => {
  const from = minute() - 10 * MINUTE;
  const of = async (catch_up: string) =>
    (await fired({ schedule: "* * * * *", catch_up }, { position: position(from), limit: 3 }))
      .events.map(({ time }) => time);
  const all = await of("all");
  assert.deepEqual(all, all.map((_, i) => from + (i + 1) * MINUTE));
  assert.ok(all.length >= 10);
  const last = await of("last");
  assert.equal(last.length, 1);
  assert.ok(last[0]! >= all.at(-1)!);
  assert.deepEqual(await of("none"), []);
});

Deno.test("what cron has given and was not acknowledged comes again, whatever is made up for", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const config = { schedule: "* * * * *", catch_up: "last" };
    const start = position(minute() - 100 * MINUTE);
    const first = await fired(config, { position: start, dataDirectory: folder });
    assert.equal(first.events.length, 1);
    const again = await fired(config, { position: start, dataDirectory: folder, most: 1 });
    assert.deepEqual(again.events[0], first.events[0]);
    const none = { ...config, catch_up: "none" };
    const later = await fired(none, { position: start, dataDirectory: folder, most: 1 });
    assert.deepEqual(later.events[0], first.events[0]);
    const rest = await fired(none, { position: later.position, dataDirectory: folder });
    assert.deepEqual(rest.events, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("cron with several schedules gives them in order, at one time in the order of the list", async () => {
  const from = Math.floor(Date.now() / (60 * MINUTE)) * 60 * MINUTE - 120 * MINUTE;
  const schedule = ["0 * * * *", "*/30 * * * *"];
  const config = {
    schedule,
    catch_up: "all",
    expression: '{"at": time, "by": schedule, "hour": time.getHours()}',
  };
  for (const limit of [1, 100]) {
    const { events } = await fired(config, { position: position(from, 1), most: 5, limit });
    const expected: [number, string][] = [
      [from + 30 * MINUTE, schedule[1]!],
      [from + 60 * MINUTE, schedule[0]!],
      [from + 60 * MINUTE, schedule[1]!],
      [from + 90 * MINUTE, schedule[1]!],
      [from + 120 * MINUTE, schedule[0]!],
    ];
    assert.deepEqual(events.slice(0, 5).map(({ time, key }) => [time, key]), expected);
    const payload = JSON.parse(events[1]!.payload);
    assert.equal(new Date(payload.at).getTime(), from + 60 * MINUTE);
    assert.deepEqual([payload.by, events[1]!.type], [schedule[0], ContentType.JSON]);
    assert.equal(payload.hour, new Date(from + 60 * MINUTE).getUTCHours());
  }
});

Deno.test("schedules are in their time zone, also when the clock changes", () => {
  const schedules = new Schedules(["30 2 * * *"], "Europe/Berlin");
  let fire = { time: Date.UTC(2026, 9, 24), index: 0 };
  const times = [1, 2, 3].map(() => {
    fire = schedules.after(fire)!;
    return new Date(fire.time).toISOString();
  });
  assert.deepEqual(times, [
    "2026-10-24T00:30:00.000Z",
    "2026-10-25T00:30:00.000Z",
    "2026-10-26T01:30:00.000Z",
  ]);
  assert.equal(schedules.lastUpTo(fire.time)!.time, fire.time);
  assert.ok(schedules.lastUpTo(fire.time - 1)!.time < fire.time);
  assert.throws(() => new Schedules(["nonsense"], "UTC"), /Cannot use schedule "nonsense" in UTC/);
  assert.throws(() => new Schedules(["* * * * *"], "Mars/X"), /Mars\/X/);
});

Deno.test("an hour that is left out or comes twice", () => {
  const times = (pattern: string, from: string, count: number) => {
    const schedules = new Schedules([pattern], "Europe/Berlin");
    let fire = { time: Date.parse(from), index: 0 };
    return Array.from({ length: count }, () => {
      fire = schedules.after(fire)!;
      return new Date(fire.time).toISOString().slice(8, 16);
    });
  };
  // From 2 to 3 o'clock on 29 March there is no time.
  assert.deepEqual(times("30 2 * * *", "2026-03-28T12:00Z", 2), ["29T01:00", "30T00:30"]);
  assert.deepEqual(times("*/30 * * * *", "2026-03-29T00:15Z", 3), [
    "29T00:30",
    "29T01:00",
    "29T01:30",
  ]);
  // That of 25 October is there twice.
  assert.deepEqual(times("30 2 * * *", "2026-10-24T12:00Z", 2), ["25T00:30", "26T01:30"]);
  assert.deepEqual(times("*/30 2 * * *", "2026-10-24T23:45Z", 5), [
    "25T00:00",
    "25T00:30",
    "25T01:00",
    "25T01:30",
    "26T01:00",
  ]);
});
