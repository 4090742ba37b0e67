import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Busbar, waitFor, withBusbar } from "../support/busbar.ts";
import { PROJECT, withFolder } from "../support/c_program.ts";
import { validatorOf } from "../../src/config/component_schema.ts";
import { parseManifest } from "../../src/plugin/manifest.ts";

const PLUGINS = { directories: [join(PROJECT, "dist/plugins")] };
/** Made once with openssl, valid for a hundred years; the authority's key is gone. */
const CERTIFICATES = join(PROJECT, "tests/fixtures/tls");
/** Of the settings, so that no test waits for long. */
const QUICK = { backoff_initial: "5ms", backoff_max: "50ms" };
const RETRY = { initial: "5ms", max: "50ms" };

interface Received {
  method: string;
  path: string;
  headers: Headers;
  text: string;
  /** When it had come, in ms. */
  at: number;
}

/** Answers a request, or a Response never comes. */
type Answer = (request: Received, number: number) => Response | Promise<Response>;

/** A real HTTP server that notes what comes. */
class Endpoint {
  readonly received: Received[] = [];
  /** The events of requests that were answered with 200. */
  readonly accepted: string[] = [];
  mostAtOnce = 0;
  #atOnce = 0;
  #answer: Answer;
  #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort = new AbortController();

  constructor(answer: Answer, options: { port?: number; cert?: string; key?: string } = {}) {
    this.#answer = answer;
    const { signal } = this.#abort;
    const address = { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal, ...options };
    this.#server = Deno.serve(address, (request) => this.#handle(request));
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/events`;
  }

  /** From now on it answers like this. */
  answers(answer: Answer): void {
    this.#answer = answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#server.finished;
  }

  async #handle(request: Request): Promise<Response> {
    const body = new Uint8Array(await request.arrayBuffer());
    const plain = request.headers.get("content-encoding") === "gzip" ? gunzipSync(body) : body;
    const text = new TextDecoder().decode(plain);
    const { method, headers } = request;
    const { pathname: path } = new URL(request.url);
    const received: Received = { method, path, headers, text, at: performance.now() };
    this.received.push(received);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      const response = await this.#answer(received, this.received.length);
      if (response.status === 200) this.accepted.push(...text.split("\n").slice(0, -1));
      return response;
    } finally {
      this.#atOnce--;
    }
  }
}

const ok = () => new Response();
const status = (status: number, text = "", headers: HeadersInit = {}) =>
  new Response(text, { status, headers });

Deno.test("http-push delivers every event in order, compressed, with its headers", async () => {
  await using endpoint = new Endpoint(ok);
  const config = {
    url: endpoint.url,
    compression: "gzip",
    headers: { "X-Tenant": "acme" },
    secret_headers: { "X-Api-Key": "secret-key" },
    bearer_token: "secret-token",
    max_events: 300,
    ...QUICK,
  };
  await run({ count: 2000, config }, async (busbar) => {
    await completed(busbar);
    const text = JSON.stringify(await busbar.get("/api/v1/pipelines/p"));
    assert.ok(!text.includes("secret"), text);
    assert.ok(!busbar.stderr.includes("secret-"), busbar.stderr);
  });
  assert.deepEqual(numbers(endpoint.accepted), upTo(2000));
  for (const { method, path, headers, text } of endpoint.received) {
    assert.deepEqual([method, path], ["POST", "/events"]);
    assert.equal(headers.get("content-type"), "application/x-ndjson");
    assert.equal(headers.get("x-tenant"), "acme");
    assert.equal(headers.get("x-api-key"), "secret-key");
    assert.equal(headers.get("authorization"), "Bearer secret-token");
    const own = numbers(text.split("\n").slice(0, -1));
    assert.ok(own.length <= 300, `${own.length} events in one request`);
    const range = new RegExp(`^p\\.push-0\\.${own[0]}-0\\.${own.at(-1)}-[0-9a-f]{16}$`);
    assert.match(headers.get("idempotency-key") ?? "", range);
  }
});

Deno.test("http-push sends again what the endpoint failed to take, and says so", async () => {
  await using endpoint = new Endpoint(() => status(500, "disk on fire"));
  // It runs for longer than this takes: a pipeline whose source has ended is not asked for its health.
  const setup = { count: 1_000_000, rate: "200/s", config: { url: endpoint.url, ...QUICK } };
  await run(setup, async (busbar) => {
    // What is wrong comes by another way than that something is.
    const healthOf = async (health: string, message: RegExp) =>
      (await busbar.pipeline(
        "p",
        ({ components }) =>
          components.some((component: { id: string; health: string; healthMessage: string }) =>
            component.id === "push" && component.health === health &&
            message.test(component.healthMessage)
          ),
      )).components.find(({ id }: { id: string }) => id === "push");
    const { metrics } = await healthOf("unhealthy", /answered 500: disk on fire$/);
    assert.ok(metrics.responses_5xx_total > 0 && !("events_total" in metrics));
    endpoint.answers(ok);
    await healthOf("healthy", /^/);
  });
  const accepted = numbers(endpoint.accepted);
  assert.deepEqual(accepted, upTo(accepted.length));
  const keys = endpoint.received.slice(0, 4).map(({ headers }) => headers.get("idempotency-key"));
  assert.equal(new Set(keys).size, 1, "a request that is repeated keeps its key");
});

Deno.test("http-push leaves an endpoint alone for as long as it asks", async () => {
  const answers = [status(429, "", { "Retry-After": "1" })];
  await using endpoint = new Endpoint(() => answers.shift() ?? ok());
  await run({ count: 50, config: { url: endpoint.url, ...QUICK } }, completed);
  const [first, second] = endpoint.received;
  assert.ok(second!.at - first!.at >= 990, `after ${second!.at - first!.at} ms`);
  assert.deepEqual(numbers(endpoint.accepted), upTo(50));
});

Deno.test("http-push makes requests smaller until they are taken, and gives up what never is", async () => {
  await using endpoint = new Endpoint(({ text }) => text.length > 3000 ? status(413) : ok());
  const config = { url: endpoint.url, ...QUICK };
  const lines = upTo(500).map((number) =>
    `{"sequence":${number},"text":"${"x".repeat(number === 77 ? 4000 : 50)}"}`
  );
  await run({ lines, config: { ...config, format: "lines" } }, async (busbar) => {
    await completed(busbar);
    assert.deepEqual(await deadLetters(busbar), [[77, "Invalid", true]]);
  });
  assert.deepEqual(numbers(endpoint.accepted), upTo(500).filter((number) => number !== 77));
});

Deno.test("http-push makes dead letters of exactly the events at fault", async () => {
  const bad = [1, 137, 138, 500];
  await using endpoint = new Endpoint(({ text }) => {
    const found = numbers(text.split("\n").slice(0, -1)).find((number) => bad.includes(number));
    return found === undefined ? ok() : status(400, `cannot read event ${found}`);
  });
  await run({ count: 500, config: { url: endpoint.url, ...QUICK } }, async (busbar) => {
    await completed(busbar);
    const expected = bad.map((number) => [number, "Invalid", true]);
    assert.deepEqual(await deadLetters(busbar), expected);
  });
  assert.deepEqual(numbers(endpoint.accepted), upTo(500).filter((number) => !bad.includes(number)));
});

Deno.test("http-push never blames events for a wrong token", async () => {
  await using endpoint = new Endpoint(() => status(401));
  await run({ count: 10, config: { url: endpoint.url, attempts: 2, ...QUICK } }, async (busbar) => {
    await busbar.log(({ message }) => /answered 401;/.test(message));
    assert.deepEqual(await deadLetters(busbar), []);
    endpoint.answers(ok);
    await completed(busbar);
  });
  assert.deepEqual(numbers(endpoint.accepted), upTo(10));
});

Deno.test("http-push gives up on an endpoint that hangs, and tries less", async () => {
  const hanging = Promise.withResolvers<Response>();
  await using endpoint = new Endpoint((_, number) => number <= 2 ? hanging.promise : ok());
  await run({ count: 64, config: { url: endpoint.url, timeout: "1s", ...QUICK } }, completed);
  hanging.resolve(ok());
  const sizes = endpoint.received.slice(0, 3).map(({ text }) => text.split("\n").length - 1);
  assert.ok(sizes[1]! <= sizes[0]! / 2 && sizes[2]! <= sizes[1]! / 2, `${sizes}`);
  const [, , ...taken] = endpoint.received;
  const lines = taken.flatMap(({ text }) => text.split("\n").slice(0, -1));
  assert.deepEqual([...new Set(numbers(lines))], upTo(64));
});

Deno.test("http-push outlives an endpoint that resets connections, is gone, and comes back", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const url = `http://127.0.0.1:${port}/events`;
  let resets = 0;
  const resetting = (async () => {
    for await (const connection of listener) {
      resets++;
      await connection.read(new Uint8Array(10));
      connection.close();
    }
  })();
  await run({ count: 3000, config: { url, ...QUICK } }, async (busbar) => {
    await waitFor(() => resets >= 3, { what: "resets", busbar });
    listener.close();
    await resetting.catch(() => {});
    await busbar.log((record) => /Connection refused/.test(JSON.stringify(record)));
    const first = new Endpoint(ok, { port });
    await waitFor(() => first.received.length > 0, { what: "a request", busbar });
    await first[Symbol.asyncDispose]();
    await using second = new Endpoint(ok, { port });
    await completed(busbar);
    const all = new Set(numbers([...first.accepted, ...second.accepted]));
    assert.deepEqual([...all].sort((a, b) => a - b), upTo(3000));
  });
});

Deno.test("http-push has several requests under way when it may", async () => {
  const waiting: (() => void)[] = [];
  await using endpoint = new Endpoint(async (_, number) => {
    // The first four are answered only when they are all there.
    if (number < 4) await new Promise<void>((resolve) => waiting.push(resolve));
    else if (number === 4) waiting.forEach((resolve) => resolve());
    return ok();
  });
  const config = { url: endpoint.url, concurrency: 4, max_events: 20, ...QUICK };
  await run({ count: 2000, config }, completed);
  assert.equal(endpoint.mostAtOnce, 4);
  assert.deepEqual(numbers(endpoint.accepted).sort((a, b) => a - b), upTo(2000));
});

Deno.test("http-push delivers at least once when its cell is killed", async () => {
  await using endpoint = new Endpoint(ok);
  const config = { url: endpoint.url, max_events: 50, ...QUICK };
  await run({ count: 20_000, rate: "20000/s", config }, async (busbar) => {
    await waitFor(() => endpoint.accepted.length > 2000, { what: "events", busbar });
    const { cell } = await busbar.get("/api/v1/pipelines/p");
    Deno.kill(cell.pid, "SIGKILL");
    await completed(busbar);
    const { restarts } = await busbar.get("/api/v1/pipelines/p");
    assert.equal(restarts, 1);
  });
  const all = [...new Set(numbers(endpoint.accepted))].sort((a, b) => a - b);
  assert.deepEqual(all, upTo(20_000));
});

Deno.test("http-push ends in time while a request hangs, and goes on at the next start", () =>
  withFolder(async (folder) => {
    const hanging = Promise.withResolvers<Response>();
    await using endpoint = new Endpoint(() => hanging.promise);
    const config = { url: endpoint.url, ...QUICK };
    const setup = { count: 100, config, folder, shutdownTimeout: "100ms" };
    await run(setup, async (busbar) => {
      await waitFor(() => endpoint.received.length > 0, { what: "a request", busbar });
      assert.equal((await busbar.stop()).code, 0);
    });
    hanging.resolve(status(503));
    endpoint.answers(ok);
    await run(setup, completed);
    assert.deepEqual([...new Set(numbers(endpoint.accepted))], upTo(100));
  }));

Deno.test("http-push talks TLS with whom the authority has signed", async () => {
  const file = (name: string) => join(CERTIFICATES, name);
  const [cert, key] = await Promise.all(
    ["server.pem", "server.key"].map((name) => Deno.readTextFile(file(name))),
  );
  await using endpoint = new Endpoint(ok, { cert: cert!, key: key! });
  const url = `https://localhost:${endpoint.port}/events`;
  await run({ count: 10, config: { url, ca_file: file("authority.pem"), ...QUICK } }, completed);
  assert.deepEqual(numbers(endpoint.accepted), upTo(10));
  const setup = { count: 10, config: { url, ...QUICK }, shutdownTimeout: "100ms" };
  await run(setup, async (busbar) => {
    await busbar.log(({ message }) => /invalid peer certificate/.test(message));
  });
  assert.deepEqual(numbers(endpoint.accepted), upTo(10));
});

Deno.test("http-push says what is wrong with its settings, and keeps secrets", () => {
  const config = { url: "http://me:secret@localhost/" };
  return run({ count: 1, config }, async (busbar) => {
    await busbar.log((record) => /use username and password/.test(JSON.stringify(record)));
    assert.ok(!busbar.stderr.includes("me:secret"), busbar.stderr);
  });
});

Deno.test("http-push's README names every setting, and only what is required has no default", async () => {
  const file = join(PROJECT, "dist/plugins/http-push/manifest.json");
  const { components: [component] } = parseManifest(await Deno.readFile(file), { file });
  const validate = await validatorOf(component!.config_schema!);
  assert.deepEqual(validate({ url: "http://localhost/" }), []);
  assert.equal(validate({}).length, 1);
  const readme = await Deno.readTextFile(join(PROJECT, "plugins/http_push/README.md"));
  for (const name of Object.keys(component!.config_schema!["properties"]!)) {
    assert.ok(readme.includes(`\`${name}\``), name);
  }
});

interface Setup {
  /** How many events are made … */
  count?: number;
  rate?: string;
  /** … or the lines of a file that are events. */
  lines?: string[];
  config: Record<string, unknown>;
  folder?: string;
  shutdownTimeout?: string;
}

/** Runs a pipeline of a source and http-push. */
async function run(setup: Setup, action: (busbar: Busbar) => Promise<unknown>): Promise<void> {
  const { count, rate, lines, config, folder, shutdownTimeout } = setup;
  await withFolder(async (temporary) => {
    const file = join(temporary, "lines.txt");
    if (lines !== undefined) {
      await Deno.writeTextFile(
        file,
        lines.map((line) => `${line}\n`).join(""),
      );
    }
    const source = lines === undefined
      ? { use: "builtin/generate", config: { count, json: true, ...(rate ? { rate } : {}) } }
      : { use: "file-tail/tail", config: { paths: [file], once: true } };
    const reactions = { push: { use: "http-push/push", from: "in", config, retry: RETRY } };
    const pipelines = { p: { sources: { in: source }, reactions } };
    await withBusbar({
      config: {
        ...(folder === undefined ? {} : { data_dir: join(folder, "data") }),
        ...(shutdownTimeout === undefined ? {} : { cells: { shutdown_timeout: shutdownTimeout } }),
        plugins: PLUGINS,
        pipelines,
      },
    }, action);
  });
}

async function completed(busbar: Busbar): Promise<void> {
  await busbar.pipeline("p", ({ status }) => status === "completed");
}

/** Sequence and code of each dead letter, and whether its error names the status. */
async function deadLetters(busbar: Busbar): Promise<unknown[]> {
  const { letters } = await busbar.get("/api/v1/pipelines/p/dead-letters?limit=1000");
  return letters.map((letter: { sequence: number; code: string; error: string }) => [
    letter.sequence,
    letter.code,
    /answered 4\d\d/.test(letter.error),
  ]);
}

function numbers(lines: string[]): number[] {
  return lines.map((line) => JSON.parse(line).sequence);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
