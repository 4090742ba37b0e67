/** Pipelines with a buffered source, for its tests. */
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinComponent, BuiltinContext } from "../../../src/component/builtin.ts";
import type { BufferSettings } from "../../../src/config/resolved.ts";
import { Harness, keep, list, numbered } from "./harness.ts";

export const ROOMY: BufferSettings = { maxBytes: 2 ** 20, whenFull: "block" };
/** Room for a few batches of four events of 200 bytes; arenas of a page. */
export const TIGHT = { batch: { maxBytes: 4096, inFlight: 2 } };

export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A reaction that takes nothing while `closed`. */
export function gate(): ReturnType<typeof keep> & { closed: boolean } {
  const reaction = keep(() => gated.closed ? Status.AGAIN : Status.OK);
  const gated = Object.assign(reaction, { closed: true });
  return gated;
}

export function source(make: BuiltinComponent | ((context: BuiltinContext) => BuiltinComponent)) {
  return (buffer: BufferSettings = ROOMY) => ({ kind: "source", make, buffer }) as const;
}

/** A source that gives its texts once in the life of the test, whatever the position: it cannot replay. */
export function once(items: readonly string[]): ReturnType<typeof list> {
  return list(items, { then: Status.AGAIN, perPoll: 4 });
}

export const wide = (count: number) => numbered(count).map((text) => text.padEnd(200, "."));
export const bare = (items: string[]) => items.map((text) => Number(text.replace(/\.*$/, "")));

/** Runs as far as `condition`, then leaves the pipeline as a crash would. */
export async function crash(harness: Harness, condition: () => boolean): Promise<void> {
  await harness.pipeline.create();
  await harness.pipeline.start();
  await harness.until(condition);
  harness.close();
}
