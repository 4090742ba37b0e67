/** What a soak run and the benchmark of reloads have in common. */
import { join } from "node:path";
import { PROJECT, run } from "../../../scripts/lib/files.ts";
import type { Expectation, Verdict } from "./expectation.ts";
import type { SoakHost } from "./host.ts";
import { until, within } from "./processes.ts";
import type { Random } from "./random.ts";
import { type Places, stopFile } from "./settings.ts";

/** Time for what is under way to arrive when the faults are over. */
const END_MS = 60_000;

/** Makes the folders of a run below `folder`, and tells the verifier what to expect. */
export async function makePlaces(
  folder: string,
  { random, expected }: { random: Random; expected: Expectation },
): Promise<Places> {
  const places: Places = {
    out: folder,
    raw: join(folder, "raw"),
    disk: join(folder, "disk"),
    plugins: join(folder, "plugins"),
    port: freePort(random),
  };
  for (const path of [places.raw, places.disk]) await Deno.mkdir(path, { recursive: true });
  await Deno.writeTextFile(join(places.raw, "expect.json"), JSON.stringify(expected, null, 2));
  return places;
}

/** A port that is free now, below those that the system gives out by itself. */
function freePort(random: Random): number {
  for (;;) {
    const port = Math.floor(random.between(20_000, 30_000));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Starts the program that feeds the port so many lines a second. */
export function startFeeder({ raw, out, port }: Places, rate: number): Deno.ChildProcess {
  const files = [join(raw, "sent.tcp.log"), join(raw, "acknowledged.tcp.log")];
  const script = join(PROJECT, "tests/soak/feeder.ts");
  const args = [String(port), String(rate), ...files, join(out, "burst")];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", script, ...args],
    stdin: "piped",
  }).spawn();
}

/** Lets everything that is under way arrive, until busbar ends by itself. */
export async function finish(
  places: Places,
  { host, feeder }: { host: SoakHost; feeder: Deno.ChildProcess },
): Promise<void> {
  await until(() => host.ready(), END_MS);
  await feeder.stdin.close();
  await within(feeder.status, END_MS);
  try {
    feeder.kill("SIGKILL");
  } catch { /* it has ended, as it should */ }
  await Deno.writeTextFile(stopFile(places), "");
  await host.end(END_MS);
  await run(["cp", "-r", join(places.disk, "archive"), join(places.raw, "archive")]);
}

/** Has the verifier judge the raw files. */
export async function judge(raw: string): Promise<Verdict> {
  const script = join(PROJECT, "tests/soak/verify.ts");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", script, raw],
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") {
    throw new Error(`Cannot verify: exit code ${code}\n${new TextDecoder().decode(stderr)}`);
  }
  return JSON.parse(text);
}
