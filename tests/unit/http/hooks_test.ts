import assert from "node:assert/strict";
import { cors } from "../../../src/http/hooks/cors.ts";
import { rateLimit } from "../../../src/http/hooks/rate_limit.ts";
import { exchange, OK, statusOf } from "./support.ts";

const CORS = {
  origins: ["https://a.example"],
  methods: ["GET", "PUT"],
  headers: ["*"],
  expose: ["x-total"],
  credentials: true,
  max_age: 60,
};

Deno.test("a preflight request is answered, any other is not", async () => {
  const hook = cors(CORS);
  const headers = {
    origin: "https://a.example",
    "access-control-request-method": "PUT",
    "access-control-request-headers": "x-a, x-b",
  };
  const answer = (await hook.before!(exchange({ method: "OPTIONS", headers })))!;
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-methods"), "GET, PUT");
  assert.equal(answer.headers.get("access-control-allow-headers"), "x-a, x-b");
  assert.equal(answer.headers.get("access-control-max-age"), "60");
  assert.equal(await statusOf(hook, exchange({ headers })), 0);
  assert.equal(await statusOf(hook, exchange({ method: "OPTIONS" })), 0);
});

Deno.test("only origins that may ask are named in answers", async () => {
  const hook = cors(CORS);
  const allowed = async (origin: string | undefined) => {
    const headers = origin === undefined ? {} : { origin };
    const answer = await hook.after!(exchange({ headers }), { ...OK, headers: new Headers() });
    assert.equal(answer.headers.get("vary"), "Origin");
    return ["allow-origin", "allow-credentials", "expose-headers"].map((name) =>
      answer.headers.get(`access-control-${name}`)
    );
  };
  assert.deepEqual(await allowed("https://a.example"), ["https://a.example", "true", "x-total"]);
  assert.deepEqual(await allowed("https://b.example"), [null, null, null]);
  assert.deepEqual(await allowed("https://a.example.evil"), [null, null, null]);
  assert.deepEqual(await allowed(undefined), [null, null, null]);
  assert.throws(() => cors({ ...CORS, origins: ["*"] }), /credentials need named origins/);
});

Deno.test("each client has a bucket of its own, which fills again", async () => {
  let now = 0;
  const hook = rateLimit({ rate: "2/s", burst: 3, by: "client", max_keys: 2 }, () => now);
  const ask = (remote: string) => statusOf(hook, exchange({ remote }));
  assert.deepEqual([await ask("a"), await ask("a"), await ask("a"), await ask("a")], [
    0,
    0,
    0,
    429,
  ]);
  assert.equal(await ask("b"), 0);
  now = 400;
  assert.equal(await ask("a"), 429);
  now = 900;
  assert.deepEqual([await ask("a"), await ask("a")], [0, 429]);
  // A third client takes the place of the one that asked longest ago.
  assert.equal(await ask("c"), 0);
  assert.deepEqual([await ask("b"), await ask("b"), await ask("b"), await ask("b")], [
    0,
    0,
    0,
    429,
  ]);
});

Deno.test("clients are told apart by what the settings name", async () => {
  const hook = rateLimit({ rate: "1/m", burst: 1, by: "header", header: "x-key", max_keys: 9 });
  const ask = (key: string) => statusOf(hook, exchange({ headers: { "x-key": key } }));
  assert.deepEqual([await ask("a"), await ask("b"), await ask("a")], [0, 0, 429]);
  const refused = await hook.before!(exchange({ headers: { "x-key": "a" } }));
  assert.equal(refused!.headers.get("retry-after"), "60");
  const all = rateLimit({ rate: 1, burst: 1, by: "all", max_keys: 9 }, () => 0);
  assert.deepEqual(
    [
      await statusOf(all, exchange({ remote: "a" })),
      await statusOf(all, exchange({ remote: "b" })),
    ],
    [0, 429],
  );
  assert.throws(() => rateLimit({ rate: 1, by: "header", max_keys: 9 }), /needs the name/);
});

Deno.test("keys of any length are told apart and take little memory", async () => {
  const hook = rateLimit({ rate: "1/m", burst: 1, by: "header", header: "x-key", max_keys: 9 });
  const ask = (key: string) => statusOf(hook, exchange({ headers: { "x-key": key } }));
  const long = "x".repeat(30_000);
  assert.deepEqual([await ask(`${long}a`), await ask(`${long}b`), await ask(`${long}a`)], [
    0,
    0,
    429,
  ]);
});

Deno.test("addresses of one network of IPv6 are one client", async () => {
  const hook = rateLimit({ rate: "1/m", burst: 1, by: "client", max_keys: 99 }, () => 0);
  const ask = (remote: string) => statusOf(hook, exchange({ remote }));
  for (
    const [remote, status] of [
      ["2001:db8:1:2::1", 0],
      ["2001:db8:1:2:3:4:5:6", 429],
      ["2001:db8:1:3::1", 0],
      ["2001:db8::1", 0],
      ["2001:db8:0:0:9::", 429],
      ["::1", 0],
      ["::ffff:192.0.2.1", 0],
      ["::ffff:192.0.2.2", 0],
      ["192.0.2.1", 0],
      ["192.0.2.1", 429],
    ] as const
  ) assert.equal(await ask(remote), status, remote);
});
