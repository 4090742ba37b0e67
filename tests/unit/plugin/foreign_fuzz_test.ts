import assert from "node:assert/strict";
import { PluginError } from "../../../src/plugin/errors.ts";
import { contentsOf, fatFile, foreignPlugins } from "./foreign.ts";
import { mutate, random } from "./mutation.ts";

const ROUNDS = 4000;

async function survives(bytes: Uint8Array<ArrayBuffer>, what: string): Promise<boolean> {
  try {
    await contentsOf(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof PluginError, `${what}: ${(error as Error).stack}`);
    return false;
  }
}

/** The parts of a file that hold anything but zeros, so that mutations hit what is read. */
function filled(bytes: Uint8Array<ArrayBuffer>): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  for (let at = 0; at < bytes.length; at += 512) {
    const end = Math.min(at + 512, bytes.length);
    if (bytes.subarray(at, end).some((byte) => byte !== 0)) ranges.push([at, end]);
  }
  return ranges;
}

Deno.test("any mutated or truncated macOS or Windows library gives contents or a PluginError", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const files = {
    "Mach-O": plugins["x86_64-macos"],
    "PE": plugins["x86_64-windows-gnu"],
    "fat": fatFile([{ bytes: plugins["x86_64-macos"], processor: 0x01000007 }], { wide: true }),
  };
  for (const [format, good] of Object.entries(files)) {
    const next = random(20_26);
    const ranges = filled(good);
    let read = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [start, end] = ranges[next(ranges.length)] ?? [0, good.length];
      const bytes = good.slice();
      bytes.set(mutate(good.slice(start, end), end - start, next), start);
      if (await survives(bytes, `${format}, round ${round}`)) read++;
    }
    assert.ok(read > 0 && read < ROUNDS, `${format}: ${read} of ${ROUNDS} were readable`);
    for (let length = 0; length < good.length; length += 1 + next(60)) {
      await survives(good.slice(0, length), `${format}, length ${length}`);
    }
  }
});

Deno.test("every field of a macOS or Windows library's headers may hold any value", async () => {
  const plugins = await foreignPlugins();
  if (!plugins) return;
  const headers = { "x86_64-macos": 32 + 1700, "x86_64-windows-gnu": 1024 } as const;
  for (const [target, end] of Object.entries(headers) as [keyof typeof headers, number][]) {
    const good = plugins[target];
    for (let at = 0; at < end; at += 4) {
      for (const value of [0, 1, 0x1000, 0x7fffffff, 0x80000000, 0xffffffff, good.length]) {
        const bytes = good.slice();
        new DataView(bytes.buffer).setUint32(at, value, true);
        await survives(bytes, `${target}, field at ${at} = ${value}`);
      }
    }
  }
});
