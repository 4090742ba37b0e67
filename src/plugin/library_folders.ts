import { join } from "node:path";
import type { Machine } from "./binary.ts";

const MAX_CACHE_BYTES = 16 * 1024 * 1024;
const CACHE_MAGIC = "glibc-ld.so.cache1.1";
const CACHE_HEADER_BYTES = 48;
const CACHE_ENTRY_BYTES = 24;
const MAX_INCLUDE_DEPTH = 8;

/** The folder that Debian and its kin use for libraries of `machine`. */
export function multiarch(machine: Machine): string {
  return `${machine}-linux-gnu`;
}

/** Where the dynamic loader looks last, in order. */
export function defaultFolders(machine: Machine): string[] {
  const triple = multiarch(machine);
  return [`/lib/${triple}`, `/usr/lib/${triple}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
}

/**
 * The loader's index of installed libraries: paths by file name, best first. Undefined when `file` is not there or is no such
 * index (as on musl), and the folders themselves must be searched.
 */
export async function readLoaderCache(file: string): Promise<Map<string, string[]> | undefined> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const info = await Deno.stat(file);
    if (!info.isFile || info.size > MAX_CACHE_BYTES) return undefined;
    bytes = await Deno.readFile(file);
  } catch {
    return undefined;
  }
  // An index in the older format may stand before the newer one.
  const start = new TextDecoder("latin1").decode(bytes).indexOf(CACHE_MAGIC);
  return start < 0 ? undefined : parseCache(bytes.subarray(start));
}

function parseCache(bytes: Uint8Array<ArrayBuffer>): Map<string, string[]> | undefined {
  if (bytes.length < CACHE_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(20, true);
  if (CACHE_HEADER_BYTES + count * CACHE_ENTRY_BYTES > bytes.length) return undefined;
  const decoder = new TextDecoder();
  const text = (offset: number) => {
    const end = bytes.indexOf(0, offset);
    return end < 0 ? "" : decoder.decode(bytes.subarray(offset, end));
  };
  const paths = new Map<string, string[]>();
  for (let index = 0; index < count; index++) {
    const at = CACHE_HEADER_BYTES + index * CACHE_ENTRY_BYTES;
    const [name, path] = [text(view.getUint32(at + 4, true)), text(view.getUint32(at + 8, true))];
    const known = paths.get(name);
    if (known) known.push(path);
    else paths.set(name, [path]);
  }
  return paths;
}

/** The folders that `file` (in the format of ld.so.conf) names, its includes followed. Unreadable files name none. */
export async function readLoaderConfig(file: string, depth = 0): Promise<string[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch {
    return [];
  }
  const folders: string[] = [];
  for (const line of text.split("\n")) {
    const words = line.replace(/#.*/, "").trim().split(/[\s:,]+/).filter((word) => word !== "");
    if (words[0] === "hwcap") continue;
    if (words[0] !== "include") folders.push(...words);
    else if (depth < MAX_INCLUDE_DEPTH) {
      for (const pattern of words.slice(1)) {
        const path = pattern.startsWith("/") ? pattern : join(file, "..", pattern);
        for (const included of await expand(path)) {
          folders.push(...await readLoaderConfig(included, depth + 1));
        }
      }
    }
  }
  return folders;
}

/** The files that `pattern` names; `*` stands for any characters of the last part. */
async function expand(pattern: string): Promise<string[]> {
  const slash = pattern.lastIndexOf("/");
  const [folder, last] = [pattern.slice(0, slash), pattern.slice(slash + 1)];
  if (!last.includes("*")) return [pattern];
  const parts = last.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const names = new RegExp(`^${parts.join("[^/]*")}$`);
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    return entries.filter((name) => names.test(name)).sort().map((name) => join(folder, name));
  } catch {
    return [];
  }
}
