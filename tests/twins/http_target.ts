/** A server that reactions send lines to. It can be slow, busy, or refuse a line. */
export class HttpTarget {
  /** Payloads of the requests that it has accepted. */
  readonly received: string[] = [];
  /** A line for which it answers 422. */
  refuses: string | undefined;
  /** Each request of so many is answered with 503; 0: none. */
  busyEvery = 0;
  #requests = 0;
  #held: PromiseWithResolvers<void> | undefined;
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => this.#answer(request),
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/in`;
  }

  /** Answers nothing until {@linkcode release}. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  async close(): Promise<void> {
    this.release();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const lines = (await request.text()).split("\n").filter((line) => line !== "");
    await this.#held?.promise;
    this.#requests++;
    if (this.busyEvery > 0 && this.#requests % this.busyEvery === 0) {
      return new Response("busy", { status: 503 });
    }
    if (this.refuses !== undefined && lines.includes(this.refuses)) {
      return new Response("no", { status: 422 });
    }
    this.received.push(...lines);
    return new Response();
  }
}
