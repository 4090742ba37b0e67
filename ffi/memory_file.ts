/** Memory files: anonymous files that two processes map, and that hold a library to be loaded. */
import { libc, mapMemory } from "./libc.ts";

const O_RDWR = 2;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const SEAL_SEAL = 1;
const SEAL_SHRINK = 2;
const SEAL_GROW = 4;
const SEAL_WRITE = 8;

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

function check(result: number, action: string): number {
  if (result < 0) throw new Error(`Cannot ${action}: the system refused; check its memory limits`);
  return result;
}

/** A mapped memory file. `buffer` is a view on the shared memory itself, valid until {@linkcode MemoryFile.close}. */
export class MemoryFile {
  readonly buffer: ArrayBuffer;
  readonly pointer: Deno.PointerObject;
  #fd: number;
  #open = true;

  private constructor(fd: number, size: number) {
    this.#fd = fd;
    const pointer = mapMemory(size, { protection: PROT_READ_WRITE, flags: MAP_SHARED, fd });
    if (pointer === null) {
      libc().close(fd);
      throw new Error(`Cannot map ${size} bytes of a memory file: the system refused`);
    }
    this.pointer = pointer;
    this.buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, size);
  }

  /** Makes a file of `size` zero bytes that can neither shrink nor grow, so that no access to it can fault. */
  static create(name: string, size: number): MemoryFile {
    const fd = check(
      libc().memfd_create(cString(name), MFD_CLOEXEC | MFD_ALLOW_SEALING),
      "make a memory file",
    );
    check(libc().ftruncate(fd, BigInt(size)), `size a memory file to ${size} bytes`);
    check(
      libc().fcntl(fd, F_ADD_SEALS, SEAL_SHRINK | SEAL_GROW | SEAL_SEAL),
      "seal a memory file",
    );
    return new MemoryFile(fd, size);
  }

  /** Maps a file that another process made, by its {@linkcode MemoryFile.path}. */
  static open(path: string, size: number): MemoryFile {
    const fd = check(libc().open(cString(path), O_RDWR), `open the memory file "${path}"`);
    return new MemoryFile(fd, size);
  }

  /** Where another process of the same user finds it while this one lives. */
  get path(): string {
    return `/proc/${Deno.pid}/fd/${this.#fd}`;
  }

  /** Unmaps and closes. Views on the buffer are detached, so that late reads see nothing instead of faulting. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const size = this.buffer.byteLength;
    this.buffer.transfer(0);
    libc().munmap(this.pointer, BigInt(size));
    libc().close(this.#fd);
  }
}

/**
 * Puts a library's bytes into a sealed memory file and returns the path it can be loaded from in this process. The
 * file lives as long as the process.
 */
export function libraryFile(name: string, bytes: Uint8Array<ArrayBuffer>): string {
  const fd = check(
    libc().memfd_create(cString(name), MFD_CLOEXEC | MFD_ALLOW_SEALING),
    "make a memory file",
  );
  let at = 0;
  while (at < bytes.length) {
    const written = Number(libc().write(fd, bytes.subarray(at), BigInt(bytes.length - at)));
    if (written <= 0) throw new Error(`Cannot write the library "${name}" to a memory file`);
    at += written;
  }
  const seals = SEAL_WRITE | SEAL_SHRINK | SEAL_GROW | SEAL_SEAL;
  check(libc().fcntl(fd, F_ADD_SEALS, seals), "seal a memory file");
  return `/proc/self/fd/${fd}`;
}
