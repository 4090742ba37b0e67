import { getLogger } from "@logtape/logtape";
import type { ResolvedHttp } from "../config/resolved.ts";
import type { Backend } from "../http/backend.ts";
import type { DataPlane } from "../http/data_plane.ts";
import type { RouteView } from "../http/route_stats.ts";
import { LastingServer } from "../lasting_server.ts";
import { Turns } from "../turns.ts";

interface Listening {
  /** What it listens with, to be compared. */
  listen: string;
  http: ResolvedHttp;
  tls: Tls | undefined;
  server: LastingServer;
  address: string;
}

/** The listener as the API shows it. */
export interface HttpView {
  /** Null while nothing listens. */
  address: string | null;
  routes: RouteView[];
}

/** The listener that `http` of the configuration describes; what answers is loaded when there is one. */
export class HttpListener {
  readonly #backend: Backend;
  readonly #turns = new Turns();
  #listening: Listening | undefined;
  #plane: DataPlane | undefined;
  /** What the plane was made of, to be compared: hooks that go on keep what they count. */
  #rules: string | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /**
   * Answers by `http` from now on, where it says, or not at all. Requests that are being answered are not touched.
   *
   * @throws {Error} when it cannot; what was there before goes on
   */
  apply(http: ResolvedHttp | undefined): Promise<void> {
    return this.#turns.take(() => this.#apply(http));
  }

  get address(): string | undefined {
    return this.#listening?.address;
  }

  view(): HttpView {
    return { address: this.#listening?.address ?? null, routes: this.#plane?.routes() ?? [] };
  }

  /** Ends after the requests that are being answered, but does not wait long for them. */
  async close(): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    await listening?.server.close();
  }

  async #apply(http: ResolvedHttp | undefined): Promise<void> {
    if (http === undefined) {
      await this.close();
      this.#plane = undefined;
      this.#rules = undefined;
      return;
    }
    const { DataPlane } = await import("../http/data_plane.ts");
    const rules = JSON.stringify([http.limits, http.hooks, http.routes]);
    const plane = this.#rules === rules ? this.#plane! : await DataPlane.open(http, this.#backend);
    const tls = readTls(http);
    const listen = JSON.stringify([http.listen, tls]);
    if (this.#listening?.listen !== listen) await this.#move(http, { tls, listen });
    this.#plane = plane;
    this.#rules = rules;
  }

  /** Listens elsewhere, or otherwise. @throws {Error} when that cannot be; the old server goes on then */
  async #move(http: ResolvedHttp, { tls, listen }: Pick<Listening, "tls" | "listen">) {
    const old = this.#listening;
    const { port } = http.listen;
    // One port cannot be listened on twice, whatever the address.
    const same = old !== undefined && port === old.server.addr.port;
    if (same) await old.server.close();
    try {
      this.#listening = { listen, http, tls, ...this.#listen(http, tls) };
    } catch (error) {
      if (same) {
        const before = { ...old.http, listen: { ...old.http.listen, port } };
        this.#listening = { ...old, ...this.#listen(before, old.tls) };
      }
      throw error;
    }
    if (old !== undefined && !same) void old.server.close();
  }

  #listen({ listen }: ResolvedHttp, tls: Tls | undefined): Pick<Listening, "server" | "address"> {
    const { host, port } = listen;
    const hostname = host.replace(/^\[(.*)\]$/, "$1");
    const answer = (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) =>
      this.#plane!.fetch(request, info);
    let server: LastingServer;
    try {
      server = new LastingServer({ hostname, port }, {
        listen: ({ hostname, port }) =>
          Deno.serve({ hostname, port, onListen() {}, ...tls }, answer),
        again: () =>
          getLogger(["busbar", "http"]).error(
            "Nobody could connect to the port of http: too many files were open",
          ),
      });
    } catch (cause) {
      throw new Error(
        `Cannot listen on ${hostname}, port ${port}, for http: ${reasonOf(cause as Error)}`,
        { cause },
      );
    }
    const { addr } = server;
    const name = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
    return { server, address: `${tls === undefined ? "http" : "https"}://${name}:${addr.port}` };
  }
}

interface Tls {
  cert: string;
  key: string;
}

/** What the files hold now: a certificate that was renewed is taken by the next reload. */
function readTls({ listen: { tls } }: ResolvedHttp): Tls | undefined {
  if (tls === null) return undefined;
  const [cert, key] = [tls.certificate, tls.key].map((path) => {
    try {
      return Deno.readTextFileSync(path);
    } catch (cause) {
      const { message } = cause as Error;
      throw new Error(`Cannot read "${path}" for http.listen.tls: ${message}`, { cause });
    }
  });
  return { cert: cert!, key: key! };
}

function reasonOf(error: Error): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "the port is in use; stop the other program, or choose another http.listen.port";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine does not have that address; set http.listen.host";
  }
  return error.message.replace(/ \(os error.*$/s, "");
}
