import { join } from "node:path";
import { pause } from "../lib/processes.ts";
import { controlFile } from "../lib/settings.ts";
import type { Fault } from "./fault.ts";

const SINKS = ["unsteady", "beside"];

/** Has a sink misbehave for a while; `mode` as its control file takes it. */
function misbehave(name: string, mode: (number: number) => string): Fault {
  return {
    kind: `reaction_${name}`,
    weight: 1,
    async strike({ places, log }, random) {
      const file = controlFile(places, random.pick(SINKS));
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
  fillBuffer,
];
