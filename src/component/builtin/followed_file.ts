import { crc32 } from "node:zlib";

/** Bytes before the offset that tell whether a file was written anew. */
const MARK = 64;
const mark = new Uint8Array(MARK);

/** Which file it is, whatever its name. */
export interface FileIdentity {
  device: number;
  inode: number;
}

/** A file and how far it was read. */
export class FollowedFile {
  readonly path: string;
  readonly identity: FileIdentity;
  /** All before it has become events. */
  offset: number;
  /** What follows `offset` is the rest of a line that was cut. */
  withinLine = false;
  /** How long it was when it was looked at last. */
  size = 0;
  /** How long it was when all of it had been read. */
  seen = -1;
  /** No name leads to it any more. */
  deleted = false;
  /** When its path was found to lead elsewhere, in ms; undefined: it has not. */
  rotatedAt: number | undefined;
  /** When it was found to have grown last, in ms. */
  grewAt: number;
  /** The file before it at its path: that is read first. */
  predecessor: FollowedFile | undefined;
  #handle: Deno.FsFile | undefined;
  #mark = 0;
  #markedAt = -1;

  constructor(
    path: string,
    options: { identity: FileIdentity; offset: number; now: number },
  ) {
    this.path = path;
    this.identity = options.identity;
    this.offset = options.offset;
    this.grewAt = options.now;
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** Whether there is something that was not read yet. */
  get hasMore(): boolean {
    return this.size !== this.seen && this.size !== this.offset;
  }

  /** Opens it, by the name that leads to it now. @throws Error of the system */
  open(path: string): void {
    if (this.#handle !== undefined) return;
    const handle = Deno.openSync(path);
    const { dev, ino } = handle.statSync();
    if (dev === this.identity.device && ino === this.identity.inode) this.#handle = handle;
    else {
      handle.close();
      throw new Error("another file has taken its name");
    }
  }

  /** Looks how long it is. Begins anew where it was cut or written anew; whether it was. */
  look(now: number): boolean {
    const { size, nlink } = this.#handle!.statSync();
    this.deleted = nlink === 0;
    if (size !== this.size) this.grewAt = now;
    this.size = size;
    if (size >= this.offset) return false;
    this.beginAnew();
    return true;
  }

  beginAnew(): void {
    this.offset = 0;
    this.seen = -1;
    this.withinLine = false;
  }

  /** A checksum of the bytes before the offset. */
  get mark(): number {
    if (this.#markedAt !== this.offset && this.#handle !== undefined) {
      this.#mark = this.#readMark();
      this.#markedAt = this.offset;
    }
    return this.#mark;
  }

  /** Whether before the offset is still what was there. */
  get isSame(): boolean {
    return this.#markedAt !== this.offset || this.#readMark() === this.#mark;
  }

  #readMark(): number {
    const length = Math.min(MARK, this.offset);
    const got = this.read(mark.subarray(0, length), this.offset - length);
    return crc32(mark.subarray(0, got));
  }

  /** Reads at byte `at`; 0 at the end. */
  read(into: Uint8Array, at: number): number {
    if (into.length === 0) return 0;
    this.#handle!.seekSync(at, Deno.SeekMode.Start);
    return this.#handle!.readSync(into) ?? 0;
  }

  close(): void {
    if (this.#handle === undefined) return;
    // What positions need of it while it is closed.
    void this.mark;
    this.#handle.close();
    this.#handle = undefined;
  }
}
