/** The shim's functions. See `shim/shim.c`. */
import { libraryFile } from "./memory_file.ts";

const SYMBOLS = {
  bb_init: {
    parameters: ["pointer", /* recorder */ "u32", /* parent */ "u64" /* descriptors */],
    result: "i32",
  },
  bb_poll: { parameters: ["pointer", /* slot */ "pointer" /* batch */], result: "i32" },
  bb_process: {
    parameters: ["pointer", /* slot */ "pointer", /* batch */ "u32" /* call */],
    result: "i32",
  },
  bb_write: { parameters: ["pointer", /* slot */ "pointer" /* batch */], result: "i32" },
  bb_run: { parameters: ["pointer" /* line */], result: "i32" },
  bb_call: {
    parameters: [
      "pointer", /* slot */
      "u32", /* call */
      "u32", /* offset */
      "pointer", /* argument */
    ],
    result: "i32",
  },
  bb_poll_off_thread: {
    name: "bb_poll",
    parameters: ["pointer", "pointer"],
    result: "i32",
    nonblocking: true,
  },
  bb_process_off_thread: {
    name: "bb_process",
    parameters: ["pointer", "pointer", "u32"],
    result: "i32",
    nonblocking: true,
  },
  bb_write_off_thread: {
    name: "bb_write",
    parameters: ["pointer", "pointer"],
    result: "i32",
    nonblocking: true,
  },
  bb_call_off_thread: {
    name: "bb_call",
    parameters: ["pointer", "u32", "u32", "pointer"],
    result: "i32",
    nonblocking: true,
  },
  bb_preload: { parameters: ["buffer" /* path */], result: "pointer" },
  bb_wait: { parameters: ["i32" /* timeout ms */], result: "i32", nonblocking: true },
  bb_interrupt: { parameters: [], result: "void" },
  bb_host: { parameters: [], result: "pointer" },
  bb_shared: { parameters: [], result: "pointer" },
  bb_log: { parameters: ["buffer" /* record */], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

export type Shim = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Where `scripts/build` puts the shim; embedded in the compiled binary under the same relative path. */
const LIBRARY = new URL("../dist/shim/libbusbar_shim.so", import.meta.url);

let loaded: Shim | undefined;

/** Loads the shim, once a process. Throws when the binary was built without it. */
export function loadShim(): Shim {
  loaded ??= Deno.dlopen(libraryFile("busbar-shim", Deno.readFileSync(LIBRARY)), SYMBOLS).symbols;
  return loaded;
}
