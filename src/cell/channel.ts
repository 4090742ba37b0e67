/**
 * Messages between host and cell over a Unix socket: a length (u32, little-endian), then JSON. Where its highest bit is set, the
 * rest of it is the length of a message with bytes: the length of the JSON (u32), the JSON, then the bytes as they are, which
 * come as the message's member `bytes`.
 */

/** The longest message in bytes, without its length; the JSON of one with bytes as well. */
export const MESSAGE_MAX = 16 * 1024 * 1024;
/** The longest message with bytes, likewise. */
export const BYTES_MESSAGE_MAX = 96 * 1024 * 1024;

const LENGTH_SIZE = 4;
const WITH_BYTES = 0x8000_0000;

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
   * Sends after all that was sent before, with `bytes` behind it, which must stay as they are until then. Resolves when the system
   * has it.
   *
   * @throws {ChannelError} when the message is too long, or the peer is gone
   */
  send(message: Sent, bytes?: Uint8Array): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(message));
    const length = bytes === undefined ? text.length : LENGTH_SIZE + text.length + bytes.length;
    const most = bytes === undefined ? MESSAGE_MAX : BYTES_MESSAGE_MAX;
    if (text.length > MESSAGE_MAX || length > most) {
      const problem = `it has ${length} bytes, at most ${most} are allowed`;
      return Promise.reject(new ChannelError(`Cannot send a message: ${problem}`));
    }
    const before = bytes === undefined ? [length] : [(length | WITH_BYTES) >>> 0, text.length];
    const frame = new Uint8Array(LENGTH_SIZE * before.length + text.length);
    const view = new DataView(frame.buffer);
    for (const [i, word] of before.entries()) view.setUint32(LENGTH_SIZE * i, word, true);
    frame.set(text, LENGTH_SIZE * before.length);
    const sent = this.#sending.then(async () => {
      await this.#write(frame);
      if (bytes !== undefined) await this.#write(bytes);
    });
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
        const { length, withBytes } = lengthOf(head);
        const body = await this.#read(length, "a message");
        if (body === undefined) throw new ChannelCutError("Cannot read a message: the peer closed");
        yield (withBytes ? parseWithBytes(body) : parse(body)) as Received;
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

  async #write(frame: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < frame.length;) at += await this.#connection.write(frame.subarray(at));
    } catch (error) {
      this.close();
      throw new ChannelError(`Cannot send a message: ${(error as Error).message}`);
    }
  }
}

function lengthOf(head: Uint8Array<ArrayBuffer>): { length: number; withBytes: boolean } {
  const word = new DataView(head.buffer).getUint32(0, true);
  const withBytes = word >= WITH_BYTES;
  const length = withBytes ? word - WITH_BYTES : word;
  const most = withBytes ? BYTES_MESSAGE_MAX : MESSAGE_MAX;
  const least = withBytes ? LENGTH_SIZE + 1 : 1;
  if (length < least || length > most) {
    throw new ChannelError(
      `Cannot read a message: its length is ${length}, from ${least} to ${most} are allowed`,
    );
  }
  return { length, withBytes };
}

/** A message with bytes: these are a view of what was read. */
function parseWithBytes(body: Uint8Array<ArrayBuffer>): unknown {
  const length = new DataView(body.buffer).getUint32(0, true);
  const end = LENGTH_SIZE + length;
  if (length > MESSAGE_MAX || end > body.length) {
    throw new ChannelError(
      `Cannot read a message: its JSON has ${length} bytes, it has ${
        body.length - LENGTH_SIZE
      } in all`,
    );
  }
  const message = parse(body.subarray(LENGTH_SIZE, end));
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new ChannelError("Cannot read a message: bytes behind what is no JSON object");
  }
  return Object.assign(message, { bytes: body.subarray(end) });
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
