import assert from "node:assert/strict";
import { memorySource } from "../../../src/plugin/byte_source.ts";
import { readContents } from "../../../src/plugin/contents.ts";
import { PluginError } from "../../../src/plugin/errors.ts";
import { openBinary } from "../../../src/plugin/open_binary.ts";
import { buildPlugin, withFolder } from "./fixtures.ts";
import { mutate, random } from "./mutation.ts";

async function survives(bytes: Uint8Array<ArrayBuffer>, what: string): Promise<boolean> {
  try {
    const image = await openBinary(memorySource("fuzz.so", bytes), "x86_64");
    await readContents(image, { size: bytes.length, digest: "digest" });
    return true;
  } catch (error) {
    assert.ok(error instanceof PluginError, `${what}: ${(error as Error).stack}`);
    return false;
  }
}

Deno.test("any mutated or truncated library gives contents or a PluginError", async () => {
  await withFolder(async (folder) => {
    const good = await Deno.readFile(
      await buildPlugin(folder, "x.so", { args: ["-s", "-Wl,--hash-style=both"] }),
    );
    // Where headers and tables lie, so that mutations hit what is read.
    const tables = Math.min(good.length, 4096);
    const next = random(20_26);
    let read = 0;
    for (let round = 0; round < 6000; round++) {
      const bytes = mutate(good, round % 3 === 0 ? good.length : tables, next);
      if (await survives(bytes, `round ${round}`)) read++;
    }
    assert.ok(read > 0 && read < 6000, `${read} of 6000 were readable`);
    for (let length = 0; length < good.length; length += 1 + next(40)) {
      await survives(good.slice(0, length), `length ${length}`);
    }
  });
});

Deno.test("every dynamic entry may hold any value", async () => {
  await withFolder(async (folder) => {
    const good = await Deno.readFile(await buildPlugin(folder, "x.so", { args: ["-s"] }));
    const view = new DataView(good.buffer);
    const headers = Number(view.getBigUint64(32, true));
    let dynamic = 0;
    for (let at = headers; view.getUint32(at, true) !== 2; at += 56) dynamic = at + 56;
    const start = Number(view.getBigUint64(dynamic + 8, true));
    const end = start + Number(view.getBigUint64(dynamic + 32, true));
    for (let at = start; at < end; at += 16) {
      for (
        const value of [
          0n,
          1n,
          0x1000n,
          0xffffffffn,
          1n << 53n,
          (1n << 64n) - 1n,
          BigInt(good.length),
        ]
      ) {
        const bytes = good.slice();
        new DataView(bytes.buffer).setBigUint64(at + 8, value, true);
        await survives(bytes, `entry at ${at} = ${value}`);
      }
    }
  });
});
