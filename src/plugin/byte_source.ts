import { PluginError } from "./errors.ts";

/** The largest library that is inspected, in bytes. */
export const MAX_LIBRARY_BYTES = 256 * 1024 * 1024;

/** A file of which parts are read. */
export interface ByteSource {
  /** Named in errors. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`. Throws a PluginError `CorruptLibrary` when the file has no such bytes. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** The error for a file that is not what a host can load. */
export function notALibrary(path: string, reason: string): PluginError {
  return new PluginError("NotALibrary", `Cannot inspect "${path}": ${reason}`, { path });
}

/** The error for a library whose own tables are wrong. */
export function corrupt(path: string, reason: string): PluginError {
  return new PluginError("CorruptLibrary", `Cannot inspect "${path}": corrupt library: ${reason}`, {
    path,
  });
}

/** The error for a file that the system does not let us read. */
export function unreadable(path: string, cause: unknown): PluginError {
  if (cause instanceof Deno.errors.NotFound) {
    return new PluginError("NotFound", `Cannot inspect "${path}": no such file or folder`, {
      path,
      cause,
    });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PluginError("NotReadable", `Cannot inspect "${path}": ${reason}`, { path, cause });
}

/** Bytes in memory as a source. */
export function memorySource(path: string, bytes: Uint8Array<ArrayBuffer>): ByteSource {
  return {
    path,
    size: bytes.length,
    read(offset, length) {
      if (offset + length > bytes.length) {
        return Promise.reject(pastEnd(path, offset + length, bytes.length));
      }
      return Promise.resolve(bytes.subarray(offset, offset + length));
    },
  };
}

/** A regular file, open for reading; close it with `using`. */
export class FileSource implements ByteSource, Disposable {
  readonly path: string;
  readonly size: number;
  /** Changes when the file does, except within a clock tick of its last change. */
  readonly identity: string;
  /** When the file was last changed, in ms since 1970. */
  readonly changedAt: number;
  readonly #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile, info: Deno.FileInfo) {
    this.path = path;
    this.size = info.size;
    this.changedAt = Math.max(info.mtime?.getTime() ?? 0, info.ctime?.getTime() ?? 0);
    this.identity = [info.dev, info.ino, info.size, info.mtime?.getTime(), info.ctime?.getTime()]
      .join(":");
    this.#file = file;
  }

  /**
   * Opens `path`, which symbolic links may lead to. Anything but a regular file of a size within bounds is refused unopened:
   * opening a FIFO would wait for its writer.
   */
  static async open(path: string): Promise<FileSource> {
    let file: Deno.FsFile;
    try {
      const info = await Deno.stat(path);
      if (!info.isFile) throw notALibrary(path, `it is ${kindOf(info)}, not a file`);
      if (info.size === 0) throw notALibrary(path, "it is empty");
      if (info.size > MAX_LIBRARY_BYTES) {
        throw notALibrary(
          path,
          `it has ${info.size} bytes, and the largest library accepted has ${MAX_LIBRARY_BYTES}`,
        );
      }
      file = await Deno.open(path);
    } catch (error) {
      throw error instanceof PluginError ? error : unreadable(path, error);
    }
    try {
      return new FileSource(path, file, await file.stat());
    } catch (error) {
      file.close();
      throw unreadable(path, error);
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (offset + length > this.size) throw pastEnd(this.path, offset + length, this.size);
    const bytes = new Uint8Array(length);
    try {
      await this.#file.seek(offset, Deno.SeekMode.Start);
      for (let done = 0; done < length;) {
        const count = await this.#file.read(bytes.subarray(done));
        if (count === null) throw pastEnd(this.path, offset + length, offset + done);
        done += count;
      }
    } catch (error) {
      throw error instanceof PluginError ? error : unreadable(this.path, error);
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function pastEnd(path: string, end: number, size: number): PluginError {
  return corrupt(path, `truncated: needs ${end} bytes, and the file has ${size}`);
}

function kindOf(info: Deno.FileInfo): string {
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a named pipe";
  if (info.isSocket) return "a socket";
  if (info.isBlockDevice || info.isCharDevice) return "a device";
  return "something else";
}
