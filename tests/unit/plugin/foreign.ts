/** Plugins for other systems, compiled by a cross-compiler. */
import { join } from "node:path";
import type { BinaryFacts, Machine } from "../../../src/plugin/binary.ts";
import { memorySource } from "../../../src/plugin/byte_source.ts";
import { type LibraryContents, readContents } from "../../../src/plugin/contents.ts";
import { openBinary } from "../../../src/plugin/open_binary.ts";
import { hasZig, zigBuild, type ZigTarget } from "../../support/zig.ts";
import { HASH, manifestOf, withFolder } from "./fixtures.ts";

/** The target triple in the manifest of what is built for each of Zig's targets. */
export const TARGETS: Record<ZigTarget, string> = {
  "aarch64-linux-gnu": "aarch64-unknown-linux-gnu",
  "x86_64-macos": "x86_64-apple-darwin",
  "aarch64-macos": "aarch64-apple-darwin",
  "x86_64-windows-gnu": "x86_64-pc-windows-gnu",
  "aarch64-windows-gnu": "aarch64-pc-windows-gnu",
};

/** The bytes of the plugin "foreign" for every target; undefined where there is no cross-compiler. */
export function foreignPlugins(): Promise<Record<ZigTarget, Uint8Array<ArrayBuffer>> | undefined> {
  built ??= build();
  return built;
}

let built: ReturnType<typeof build> | undefined;

async function build() {
  if (!await hasZig()) return undefined;
  const files = {} as Record<ZigTarget, Uint8Array<ArrayBuffer>>;
  await withFolder(async (folder) => {
    for (const target of Object.keys(TARGETS) as ZigTarget[]) {
      const source = join(folder, "foreign.c");
      const output = join(folder, "foreign.lib");
      await Deno.writeTextFile(source, code(target));
      await zigBuild(target, { source, output }, [
        "-s",
        ...(target.includes("windows") ? ["-nostdlib", "-lkernel32"] : []),
        ...(target.includes("macos") ? ["-Wl,-rpath,@loader_path/lib"] : []),
      ]);
      files[target] = await Deno.readFile(output);
    }
  });
  return files;
}

/** Compiles one more library from `code` for `target`. */
export async function compileForeign(
  target: ZigTarget,
  code: string,
  args: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array();
  await withFolder(async (folder) => {
    const source = join(folder, "more.c");
    const output = join(folder, "more.lib");
    await Deno.writeTextFile(source, code);
    await zigBuild(target, { source, output }, args);
    bytes = await Deno.readFile(output);
  });
  return bytes;
}

/** The facts of the library in `bytes`, of a fat one of its part for `machine`. */
export async function factsOf(
  bytes: Uint8Array<ArrayBuffer>,
  machine: Machine = "x86_64",
): Promise<BinaryFacts> {
  return await (await openBinary(memorySource("foreign", bytes), machine)).facts();
}

/** Facts, hash and manifest of the library in `bytes`. */
export async function contentsOf(
  bytes: Uint8Array<ArrayBuffer>,
  machine: Machine = "x86_64",
): Promise<LibraryContents> {
  const image = await openBinary(memorySource("foreign", bytes), machine);
  return await readContents(image, { size: bytes.length, digest: "digest" });
}

/** A fat file of thin libraries; `wide` makes the variant with 64-bit offsets. */
export function fatFile(
  slices: readonly { bytes: Uint8Array; processor: number; subtype?: number }[],
  options: { wide?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const { wide = false } = options;
  const entryBytes = wide ? 32 : 20;
  const starts: number[] = [];
  let end = 4096;
  for (const { bytes } of slices) {
    starts.push(end);
    end = (end + bytes.length + 4095) & ~4095;
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  view.setUint32(0, wide ? 0xcafebabf : 0xcafebabe);
  view.setUint32(4, slices.length);
  for (const [index, { bytes, processor, subtype = 0 }] of slices.entries()) {
    const [at, start] = [8 + index * entryBytes, starts[index] ?? 0];
    view.setUint32(at, processor);
    view.setUint32(at + 4, subtype);
    if (wide) {
      view.setBigUint64(at + 8, BigInt(start));
      view.setBigUint64(at + 16, BigInt(bytes.length));
    } else {
      view.setUint32(at + 8, start);
      view.setUint32(at + 12, bytes.length);
    }
    file.set(bytes, start);
  }
  return file;
}

function code(target: ZigTarget): string {
  const windows = target.includes("windows");
  const manifest = manifestOf("foreign", { target: TARGETS[target] });
  return `${
    windows
      ? `#define EXPORT __declspec(dllexport)
         __declspec(dllimport) unsigned long GetLastError(void);
         unsigned _tls_index;
         int _DllMainCRTStartup(void *a, unsigned b, void *c) { return 1; }
         static int outside(void) { return (int)GetLastError(); }`
      : `#define EXPORT __attribute__((visibility("default")))
         extern int getpid(void);
         static int outside(void) { return getpid(); }`
  }
    EXPORT const char busbar_abi_hash[65] = "${HASH}";
    EXPORT const char busbar_manifest[] = ${JSON.stringify(JSON.stringify(manifest))};
    EXPORT int (*const table[2])(void) = {outside, outside};
    EXPORT const void *busbar_plugin(const void *host) { return outside() ? host : &table; }
    __attribute__((visibility("hidden"))) int hidden(void) { return 1; }
  `;
}
