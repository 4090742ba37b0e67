/** A plugin in several editions, and pipelines that show which one runs and that nothing was lost. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { fixture } from "../../fixtures/build.ts";
import { type Busbar, waitFor } from "../../support/busbar.ts";

export type Fault = "none" | "create" | "restore" | "start" | "crash";

/** Builds an edition into a folder of its own and gives the folder: what an operator has copied from somewhere. */
export async function edition(
  outDir: string,
  number: number,
  fault: Fault = "none",
): Promise<string> {
  const { libraryPath } = await buildPlugin({
    folder: join(PROJECT, "tests/fixtures/plugins/tally"),
    outDir: join(outDir, `edition-${number}-${fault}`),
    overrides: {
      manifest: { version: `${number}.0.0` },
      build: { cflags: [`-DEDITION=${number}`, `-DFAULT=fault_${fault}`] },
    },
  });
  return dirname(libraryPath);
}

/** Puts an edition where the host looks, as a careful operator does: beside it, then renamed into its place. */
export async function install(from: string, plugins: string): Promise<void> {
  const target = join(plugins, "tally");
  const aside = join(plugins, `.new-${crypto.randomUUID()}`);
  await Deno.mkdir(aside, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(join(from, name), join(aside, name));
  }
  const old = join(plugins, `.old-${crypto.randomUUID()}`);
  await Deno.rename(target, old).catch(() => {});
  await Deno.rename(aside, target);
  await Deno.remove(old, { recursive: true }).catch(() => {});
}

/** Folder with `tally` in it, and `probe` besides. */
export async function pluginFolder(from: string, folder: string): Promise<string> {
  const plugins = join(folder, "plugins");
  const { folder: probe } = await fixture("probe");
  await Deno.mkdir(join(plugins, "probe"), { recursive: true });
  for await (const { name } of Deno.readDir(probe)) {
    await Deno.copyFile(join(probe, name), join(plugins, "probe", name));
  }
  await install(from, plugins);
  return plugins;
}

/** Endless numbers through `tally` into `file`. */
export function tallying(file: string, source: Record<string, unknown> = {}) {
  return {
    checkpoint_interval: "50ms",
    sources: { numbers: { use: "probe/numbers", config: { burst: 64, ...source } } },
    processors: { tally: { use: "tally/tally", from: ["numbers"] } },
    reactions: { sink: { use: "probe/collect", from: ["tally"], config: { file } } },
  };
}

/** Numbers to a file without `tally`. */
export function plain(file: string) {
  return {
    sources: {
      numbers: { use: "probe/numbers", config: { wake: true, interval_ms: 5, burst: 4 } },
    },
    reactions: { sink: { use: "probe/collect", from: ["numbers"], config: { file } } },
  };
}

/** A line that the sink has written. */
export interface Line {
  sequence: number;
  edition: number;
  total: number;
}

export function readLines(file: string): Line[] {
  const lines = Deno.readTextFileSync(file).split("\n").slice(0, -1);
  return lines.map((line) => {
    const [, sequence, edition, total] = line.split(" ").map(Number);
    return { sequence: sequence!, edition: edition!, total: total! };
  });
}

/** Fails unless every event came, in order, once, with the total that goes with it. */
export function assertNothingLost(lines: readonly Line[]): void {
  for (const [index, { sequence, total }] of lines.entries()) {
    const expected = lines[0]!.sequence + index;
    assert.equal(sequence, expected, `line ${index}: sequence ${sequence}, not ${expected}`);
    assert.equal(total, index + 1, `line ${index}: total ${total}, not ${index + 1}`);
  }
}

/** Waits until the sink gets what `edition` has counted. */
export async function counting(busbar: Busbar, file: string, edition: number): Promise<void> {
  await waitFor(() => lastEdition(file) === edition, { what: `edition ${edition}`, busbar });
}

function lastEdition(file: string): number | undefined {
  try {
    return readLines(file).at(-1)?.edition;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return undefined;
  }
}
