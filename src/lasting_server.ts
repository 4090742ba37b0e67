/** What those who are being answered have at the end, in ms. */
const CLOSE_MS = 1_000;
/** Between two looks whether it still listens, in ms. */
const LOOK_MS = 1_000;

type Place = Pick<Deno.NetAddr, "hostname" | "port">;
type Listen = (place: Place) => Deno.HttpServer<Deno.NetAddr>;

/**
 * A server that goes on listening. One of Deno stops for good when there are more connections than files may be open, and says so
 * only when the last of them has ended.
 */
export class LastingServer {
  readonly addr: Deno.NetAddr;
  readonly #listen: Listen;
  readonly #again: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #server: Deno.HttpServer<Deno.NetAddr>;

  /**
   * @param place where it is to listen; port 0 is any free one
   * @param options `listen` begins to listen at a place; `again` is called when it had stopped, and listens again
   * @throws what `listen` throws at first
   */
  constructor(place: Place, { listen, again }: { listen: Listen; again: () => void }) {
    this.#listen = (place) => {
      const server = listen(place);
      // It says so when it is too late.
      server.finished.catch(() => {});
      return server;
    };
    this.#again = again;
    this.#server = this.#listen(place);
    this.addr = this.#server.addr;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Ends as {@linkcode closeServer} does. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await closeServer(this.#server);
  }

  #look(): void {
    let next: Deno.HttpServer<Deno.NetAddr>;
    try {
      next = this.#listen(this.addr);
    } catch {
      // The port is in use, by the server that is there; or nobody can listen yet.
      return;
    }
    void closeServer(this.#server);
    this.#server = next;
    this.#again();
  }
}

/** Ends after the requests that are being answered; a client that then keeps its connection open is not waited for. */
export async function closeServer(server: Deno.HttpServer<Deno.Addr>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, CLOSE_MS);
  // It may have stopped before.
  const end = server.shutdown().then(() => server.finished).catch(() => {});
  await Promise.race([end, late.promise]);
  clearTimeout(timer);
}
