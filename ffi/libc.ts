/** The C library's functions that busbar calls itself. Linux only so far; others get a clear error. */
const SYMBOLS = {
  memfd_create: { parameters: ["buffer", /* name */ "u32" /* flags */], result: "i32" },
  ftruncate: { parameters: ["i32", /* fd */ "i64" /* length */], result: "i32" },
  fcntl: { parameters: ["i32", /* fd */ "i32", /* cmd */ "i32" /* arg */], result: "i32" },
  open: { parameters: ["buffer", /* path */ "i32" /* flags */], result: "i32" },
  close: { parameters: ["i32" /* fd */], result: "i32" },
  flock: { parameters: ["i32", /* fd */ "i32" /* operation */], result: "i32" },
  write: {
    parameters: ["i32", /* fd */ "buffer", /* data */ "usize" /* count */],
    result: "isize",
  },
  mmap: {
    parameters: [
      "usize", /* address */
      "usize", /* length */
      "i32", /* protection */
      "i32", /* flags */
      "i32", /* fd */
      "i64", /* offset */
    ],
    result: "pointer",
  },
  munmap: { parameters: ["pointer", /* address */ "usize" /* length */], result: "i32" },
  mprotect: {
    parameters: ["usize", /* address */ "usize", /* length */ "i32" /* protection */],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let loaded: Libc | undefined;

/** Throws on systems whose C library this does not know. */
export function libc(): Libc {
  if (Deno.build.os !== "linux") {
    throw new Error(
      `Cannot run plugins on ${Deno.build.os}: cells need Linux; see README, "Platforms"`,
    );
  }
  loaded ??= Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  return loaded;
}

/** The address mmap() gives when it fails. */
const FAILED = 0xffff_ffff_ffff_ffffn;

/** Maps memory; `fd` -1 for memory of no file. Null when the system refuses. */
export function mapMemory(
  bytes: number,
  options: { protection: number; flags: number; fd: number },
): Deno.PointerObject | null {
  const { protection, flags, fd } = options;
  const pointer = libc().mmap(0n, BigInt(bytes), protection, flags, fd, 0n);
  return pointer === null || Deno.UnsafePointer.value(pointer) === FAILED ? null : pointer;
}
