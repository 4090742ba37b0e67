/** Messages between host and cell: JSON, each with its length before it (u32, little-endian), over a Unix socket. */

/** The longest message in bytes, without its length. */
export const MESSAGE_MAX = 16 * 1024 * 1024;

const LENGTH_SIZE = 4;

/** The peer sent what is no message, or a message cannot be sent. The channel is closed. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
}

/** The peer closed, or is gone, in the middle of a message. */
export class ChannelCutError extends ChannelError {}

/** One connection. `Received` and `Sent` are what goes each way; what arrives is JSON, but not checked to be Received. */
export class Channel<Received, Sent> implements AsyncIterable<Received> {
  readonly #connection: Deno.Conn;
  #sending: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /**
   * Sends after all that was sent before. Resolves when the system has it.
   *
   * @throws {ChannelError} when the message is too long, or the peer is gone
   */
  send(message: Sent): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify(message));
    if (body.length > MESSAGE_MAX) {
      const problem = `it has ${body.length} bytes, at most ${MESSAGE_MAX} are allowed`;
      return Promise.reject(new ChannelError(`Cannot send a message: ${problem}`));
    }
    const frame = new Uint8Array(LENGTH_SIZE + body.length);
    new DataView(frame.buffer).setUint32(0, body.length, true);
    frame.set(body, LENGTH_SIZE);
    const sent = this.#sending.then(() => this.#write(frame));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /** Resolves when the system has all that was sent, or nothing more can be sent: what to wait for before leaving. */
  flush(): Promise<void> {
    return this.#sending;
  }

  /**
   * All messages until the peer closes. To be iterated once. Closes the channel at its end.
   *
   * @throws {ChannelError} for bytes that are no message
   */
  async *[Symbol.asyncIterator](): AsyncIterator<Received> {
    try {
      for (;;) {
        const head = await this.#read(LENGTH_SIZE, "a message's length");
        if (head === undefined) return;
        const body = await this.#read(lengthOf(head), "a message");
        if (body === undefined) throw new ChannelCutError("Cannot read a message: the peer closed");
        yield parse(body) as Received;
      }
    } finally {
      this.close();
    }
  }

  /** Closes both ways. What was not sent yet is lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  /** Exactly `size` bytes; undefined when there is none. */
  async #read(size: number, what: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const got = await this.#readSome(bytes.subarray(at));
      if (got === null && at === 0) return undefined;
      if (got === null) {
        throw new ChannelCutError(
          `Cannot read ${what}: the peer closed after ${at} of ${size} bytes`,
        );
      }
      at += got;
    }
    return bytes;
  }

  async #readSome(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    try {
      return await this.#connection.read(into);
    } catch (error) {
      // A peer that was killed may reset the connection instead of ending it.
      if (this.#closed || error instanceof Deno.errors.ConnectionReset) return null;
      throw new ChannelCutError(`Cannot read a message: ${(error as Error).message}`);
    }
  }

  async #write(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      for (let at = 0; at < frame.length;) at += await this.#connection.write(frame.subarray(at));
    } catch (error) {
      this.close();
      throw new ChannelError(`Cannot send a message: ${(error as Error).message}`);
    }
  }
}

function lengthOf(head: Uint8Array<ArrayBuffer>): number {
  const length = new DataView(head.buffer).getUint32(0, true);
  if (length === 0 || length > MESSAGE_MAX) {
    throw new ChannelError(
      `Cannot read a message: its length is ${length}, from 1 to ${MESSAGE_MAX} are allowed`,
    );
  }
  return length;
}

function parse(body: Uint8Array<ArrayBuffer>): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new ChannelError(`Cannot read a message: not JSON: ${(error as Error).message}`);
  }
}

/** Waits for one peer at a socket of its own. */
export class ChannelListener<Received, Sent> {
  readonly path: string;
  readonly #listener: Deno.UnixListener;
  #closed = false;

  constructor(path: string, listener: Deno.UnixListener) {
    this.path = path;
    this.#listener = listener;
  }

  /** The next peer; undefined once the listener is closed. */
  async accept(): Promise<Channel<Received, Sent> | undefined> {
    try {
      return new Channel<Received, Sent>(await this.#listener.accept());
    } catch (error) {
      if (this.#closed) return undefined;
      throw error;
    }
  }

  /** Stops listening and removes the socket; channels that were accepted stay open. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    try {
      Deno.removeSync(this.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Listens at `path`, which only this user may use. The folder must be private already: see {@linkcode socketFolder}. */
export function listenChannel<Received, Sent>(path: string): ChannelListener<Received, Sent> {
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  return new ChannelListener<Received, Sent>(path, listener);
}

/** Connects to a peer that listens at `path`. */
export async function connectChannel<Received, Sent>(
  path: string,
): Promise<Channel<Received, Sent>> {
  return new Channel<Received, Sent>(await Deno.connect({ transport: "unix", path }));
}
