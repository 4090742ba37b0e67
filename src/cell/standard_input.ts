import { logText } from "../log.ts";
import type { SocketFolder } from "./socket_folder.ts";

const CHUNK = 256 * 1024;
const LINE_END = 10;
/** How long to wait where standard input has nothing yet and does not block, in ms. */
const RETRY_MS = 20;

type Bytes = Uint8Array<ArrayBuffer>;
/** Reads some of the input; null at its end. */
export type ReadInput = (into: Bytes) => Promise<number | null>;

/**
 * Gives the host's standard input to the cell that reads it, over a socket of its own. To the cell goes one byte, 1 where the
 * input goes on in the middle of a line, then the input as it is; no more of it is read than the cell takes. A cell that stops sends
 * a byte, 1 where it is in the middle of a line that it leaves out, reads on to the end, and gives back what it has not used:
 * the next one begins with that.
 */
export class StandardInput {
  readonly #sockets: Pick<SocketFolder, "next">;
  readonly #read: ReadInput;
  #listener: Deno.UnixListener | undefined;
  #path = "";
  /** What was given back: comes before the chunk. */
  #returned: Bytes[] = [];
  /** What is read next, once it is there; null at the end. */
  #chunk: Promise<Bytes | null> | undefined;
  /** What chunks are read into: there is no next one before the cell has this one. */
  #buffer: Bytes | undefined;
  #withinLine = false;

  /** @param read the input, if it is not the standard one */
  constructor(
    sockets: Pick<SocketFolder, "next">,
    read: ReadInput = (into) => Deno.stdin.read(into),
  ) {
    this.#sockets = sockets;
    this.#read = read;
  }

  /** The socket. Nothing is read before a cell connects to it. */
  get path(): string {
    if (this.#listener === undefined) {
      this.#path = this.#sockets.next();
      this.#listener = Deno.listen({ transport: "unix", path: this.#path });
      Deno.chmodSync(this.#path, 0o600);
      void this.#serve(this.#listener);
    }
    return this.#path;
  }

  /** Serves no cell any more. */
  close(): void {
    if (this.#listener === undefined) return;
    this.#listener.close();
    this.#listener = undefined;
    try {
      Deno.removeSync(this.#path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** One cell after the other: the next one connects when the one before has given back, or is gone. */
  async #serve(listener: Deno.UnixListener): Promise<void> {
    for (;;) {
      const connection = await listener.accept().catch(() => undefined);
      if (connection === undefined) return;
      try {
        await this.#give(connection);
      } catch {
        const text = "Cell broke off while it read standard input: what it had of it may be lost";
        logText(["busbar", "host"], "warning", { text, properties: {} });
      } finally {
        connection.close();
      }
    }
  }

  async #give(connection: Deno.UnixConn): Promise<void> {
    await writeAll(connection, Uint8Array.of(this.#withinLine ? 1 : 0));
    const last = new Uint8Array(1);
    const parted = connection.read(last).then((got) => ({ inOrder: got !== null }));
    parted.catch(() => {});
    for (;;) {
      const next = await Promise.race([parted, this.#nextChunk()]);
      if (!(next instanceof Uint8Array)) break;
      this.#taken();
      this.#withinLine = next.at(-1) !== LINE_END;
      await writeAll(connection, next);
    }
    await connection.closeWrite();
    if (!(await parted).inOrder) throw new Error("The connection ended");
    const rest = await readAll(connection);
    this.#withinLine = last[0] === 1;
    if (rest.length > 0) this.#returned.unshift(...rest);
  }

  #nextChunk(): Promise<Bytes | null> {
    const [returned] = this.#returned;
    return returned === undefined ? this.#chunk ??= this.#readOn() : Promise.resolve(returned);
  }

  #taken(): void {
    if (this.#returned.shift() === undefined) this.#chunk = undefined;
  }

  async #readOn(): Promise<Bytes | null> {
    const chunk = this.#buffer ??= new Uint8Array(CHUNK);
    for (;;) {
      try {
        const length = await this.#read(chunk);
        return length === null ? null : chunk.subarray(0, length);
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock) {
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
          continue;
        }
        const text = `Cannot read standard input: ${(error as Error).message}`;
        logText(["busbar", "host"], "error", { text, properties: {} });
        return null;
      }
    }
  }
}

async function writeAll(connection: Deno.UnixConn, bytes: Bytes): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function readAll(connection: Deno.UnixConn): Promise<Bytes[]> {
  const chunks: Bytes[] = [];
  for (;;) {
    const chunk = new Uint8Array(CHUNK);
    const length = await connection.read(chunk);
    if (length === null) return chunks;
    chunks.push(chunk.subarray(0, length));
  }
}
