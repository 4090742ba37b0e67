import { join } from "node:path";
import type { SoakHost } from "../lib/host.ts";
import { pause, until } from "../lib/processes.ts";
import { controlFile } from "../lib/settings.ts";
import type { Fault } from "./fault.ts";

/** Sinks that take orders, and their pipelines. */
const SINKS = { unsteady: "soak", beside: "beside" } as const;
const NAMES = Object.keys(SINKS) as (keyof typeof SINKS)[];

/** Has a sink misbehave for a while; `mode` as its control file takes it. */
function misbehave(name: string, mode: (number: number) => string): Fault {
  return {
    kind: `reaction_${name}`,
    weight: 1,
    async strike({ places, log }, random) {
      const file = controlFile(places, random.pick(NAMES));
      const time = random.between(200, 2000);
      const text = mode(random.next());
      await write(file, text);
      log(`"${text}" into ${file} for ${time.toFixed()} ms`);
      await pause(time);
      await write(file, "well");
      return true;
    },
  };
}

/** Never leaves half a file for the sink to read. */
async function write(file: string, text: string): Promise<void> {
  const temporary = `${file}.${crypto.randomUUID()}`;
  await Deno.writeTextFile(temporary, text);
  await Deno.rename(temporary, file);
}

/** A reaction refuses some events for good: they become dead letters, and are offered again. */
const refuse: Fault = {
  kind: "reaction_refuses",
  weight: 1,
  async strike({ places, host, log }, random) {
    const name = random.pick(NAMES);
    const file = controlFile(places, name);
    await write(file, `refuse ${Math.ceil(random.between(50, 500))}`);
    await pause(random.between(200, 2000));
    await write(file, "well");
    const { text } = await host.command("dlq", "replay", SINKS[name], "--all");
    log(`refusals by ${name}: ${text.trim()}`);
    return true;
  },
};

/** Has every dead letter offered again until none is left; whether that is so after `timeout` ms. */
export async function replayLetters(host: SoakHost, timeout: number): Promise<boolean> {
  for (const pipeline of Object.values(SINKS)) {
    const gone = await until(async () => {
      const path = `/api/v1/pipelines/${pipeline}/dead-letters?limit=1`;
      if ((await host.get(path))?.total === 0) return true;
      await host.command("dlq", "replay", pipeline, "--all");
      return false;
    }, timeout);
    if (!gone) return false;
  }
  return true;
}

/** A reaction takes nothing while the port's client sends as fast as it can, until the source's buffer on disk is full. */
const fillBuffer: Fault = {
  kind: "buffer_full",
  weight: 1,
  async strike({ places, host, log }) {
    const file = controlFile(places, "unsteady");
    const burst = join(places.out, "burst");
    await write(file, "again");
    await Deno.writeTextFile(burst, "");
    let most = 0;
    for (let turn = 0; turn < 30; turn++) {
      await pause(100);
      const view = await host.get("/api/v1/pipelines/soak");
      const components: { id: string; buffer: { bytes: number } | null }[] = view?.components ?? [];
      most = Math.max(most, components.find(({ id }) => id === "tcp")?.buffer?.bytes ?? 0);
    }
    await Deno.remove(burst);
    await write(file, "well");
    log(`buffer filled up to ${most} bytes`);
    return true;
  },
};

/** Reactions that fail, wait, or take nothing. */
export const REACTION_FAULTS: Fault[] = [
  misbehave("fails", (number) => `fail ${Math.ceil(number * 5000)}`),
  misbehave("delays", (number) => `slow ${Math.ceil(number * 60)}`),
  misbehave("again", () => "again"),
  misbehave("pending", (number) => `pending ${Math.ceil(number * 40)}`),
  misbehave("unsynced", () => "unsynced"),
  refuse,
  fillBuffer,
];
