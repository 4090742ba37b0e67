import { libc, mapMemory } from "../../ffi/libc.ts";

const PAGE = 4096;
const PROT_NONE = 0;
const PROT_READ_WRITE = 3;
/** MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE */
const FLAGS = 0x2 | 0x20 | 0x4000;

/**
 * Memory for records: page-aligned (so 64-byte aligned too), zeroed, followed by a page that faults, so that a plugin
 * which writes past the end is stopped and named there and then. Costs real memory only where it was touched.
 */
export class Arena {
  readonly pointer: Deno.PointerObject;
  readonly address: bigint;
  /** Bytes; the requested size rounded up to whole pages. */
  readonly size: number;
  /** View on the memory itself; detached by {@linkcode Arena.free}. */
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;

  /** Throws when the system has no memory left. */
  constructor(size: number) {
    this.size = Math.ceil(Math.max(size, 1) / PAGE) * PAGE;
    const pointer = mapMemory(this.size + PAGE, {
      protection: PROT_READ_WRITE,
      flags: FLAGS,
      fd: -1,
    });
    if (pointer === null) {
      throw new Error(`Cannot map an arena of ${this.size} bytes: out of memory`);
    }
    this.pointer = pointer;
    this.address = Deno.UnsafePointer.value(pointer);
    libc().mprotect(this.address + BigInt(this.size), BigInt(PAGE), PROT_NONE);
    this.buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, this.size);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
  }

  /** Gives the memory back. Nothing native may still hold a pointer into it. */
  free(): void {
    if (this.buffer.detached) return;
    this.buffer.transfer(0);
    libc().munmap(this.pointer, BigInt(this.size + PAGE));
  }
}
