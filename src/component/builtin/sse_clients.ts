/** Those who listen, each with what it has not taken yet. */
export class SseClients {
  readonly #maxBacklog: number;
  readonly #dropped: () => void;
  readonly #changed: (count: number) => void;
  readonly #clients = new Set<ReadableStreamDefaultController<Uint8Array>>();

  constructor(
    options: { maxBacklog: number; dropped: () => void; changed: (count: number) => void },
  ) {
    this.#maxBacklog = options.maxBacklog;
    this.#dropped = options.dropped;
    this.#changed = options.changed;
  }

  get count(): number {
    return this.#clients.size;
  }

  /** A body for one more, which begins with `first`: clients share its memory. */
  add(first: readonly Uint8Array[]): ReadableStream<Uint8Array> {
    let client: ReadableStreamDefaultController<Uint8Array>;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        client = controller;
        for (const bytes of first) client.enqueue(bytes);
        this.#clients.add(client);
        this.#changed(this.count);
      },
      cancel: () => this.#remove(client),
    }, {
      // What it begins with is more than others have waiting for them.
      highWaterMark: first.reduce((sum, { length }) => sum + length, this.#maxBacklog),
      size: (chunk) => chunk.length,
    });
  }

  /** Sends to all. Who has too much waiting is dropped. */
  send(bytes: Uint8Array): void {
    for (const client of this.#clients) {
      if (client.desiredSize !== null && client.desiredSize >= bytes.length) {
        client.enqueue(bytes);
        continue;
      }
      this.#remove(client);
      client.error(new Error("the client is too slow"));
      this.#dropped();
    }
  }

  /** Ends all connections; who has something waiting does not get it any more. */
  close(): void {
    for (const client of this.#clients) {
      if (client.desiredSize === null || client.desiredSize >= this.#maxBacklog) client.close();
      else client.error(new Error("the server stops"));
    }
    this.#clients.clear();
    this.#changed(0);
  }

  #remove(client: ReadableStreamDefaultController<Uint8Array>): void {
    this.#clients.delete(client);
    this.#changed(this.count);
  }
}
