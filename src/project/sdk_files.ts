import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { listFiles } from "./files.ts";
import type { Language } from "./toolchain.ts";

/** Where the SDKs lie: in the repository, and in the binary, which embeds them. */
const FFI = fileURLToPath(new URL("../../ffi", import.meta.url));
/** Where the templates of `busbar plugin new` lie. */
export const TEMPLATES = fileURLToPath(new URL("./templates", import.meta.url));

// What a plugin's build does not need: the SDKs' own tests and what is built in their folders.
const LEFT_OUT =
  /(^|\/)(target|dist|tests|testdata|benches|examples)\/|_test\.go$|(^|\/)(Cargo\.lock|\.gitignore)$/;

/** A file of an SDK. */
export interface SdkFile {
  /** Below the folder that holds the SDKs, as "rust/src/lib.rs". */
  path: string;
  content: Uint8Array;
}

/** What a project in the language needs of the SDKs. */
export async function readSdk(language: Language): Promise<SdkFile[]> {
  const files: SdkFile[] = [];
  for (const path of await sdkPaths(FFI)) {
    const [part] = path.split("/");
    const needed = part === "include"
      ? language === "c" || language === "cpp" || path === "include/busbar.h"
      : part === language;
    if (needed) files.push({ path, content: await Deno.readFile(join(FFI, path)) });
  }
  return files;
}

/** The files of all SDKs below `ffi`, sorted. */
export async function sdkPaths(ffi: string): Promise<string[]> {
  const paths: string[] = [];
  for (const part of ["include", "rust", "go"]) {
    for (const file of await listFiles(join(ffi, part))) {
      const path = relative(ffi, file);
      if (!LEFT_OUT.test(path)) paths.push(path);
    }
  }
  return paths;
}
