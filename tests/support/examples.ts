import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Busbar, withBusbar } from "./busbar.ts";

/** The folder of the examples. */
export const EXAMPLES: string = fileURLToPath(new URL("../../docs/examples", import.meta.url));

/** An example that runs, with a folder for what it writes. */
export interface RunningExample {
  busbar: Busbar;
  folder: string;
}

/** Runs an example with its own `busbar.yaml`, on free ports. `env` gets a folder for files, which is removed afterwards. */
export async function withExample(
  name: string,
  options: { env: (folder: string) => Record<string, string>; args?: string[] },
  action: (example: RunningExample) => Promise<void>,
): Promise<void> {
  const config = await Deno.readTextFile(join(EXAMPLES, name, "busbar.yaml"));
  const folder = await Deno.makeTempDir({ prefix: "busbar_example_" });
  const ports = /^http:/m.test(config)
    ? ["server.port=0", "http.listen.port=0"]
    : ["server.port=0"];
  const args = [...ports.flatMap((set) => ["--set", set]), ...options.args ?? []];
  try {
    await withBusbar(
      { config, args, env: options.env(folder) },
      (busbar) => action({ busbar, folder }),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A request that a {@linkcode Receiver} got. */
export interface Received {
  path: string;
  headers: Headers;
  // deno-lint-ignore no-explicit-any
  body: any;
}

/** A server on a free port of the loopback. */
export interface Receiver extends AsyncDisposable {
  url: string;
  /** What it answered with 200, in order. */
  accepted: Received[];
}

/** Starts a server that takes JSON; `status` says what it answers, 200 by default. */
export function receiver(status: (request: Received) => number = () => 200): Receiver {
  const accepted: Received[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const received = { path: pathname, headers: request.headers, body: await request.json() };
      const answer = status(received);
      if (answer === 200) accepted.push(received);
      return new Response(null, { status: answer });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, accepted, [Symbol.asyncDispose]: () => server.shutdown() };
}
