import assert from "node:assert/strict";
import { exportSPKI, generateKeyPair, SignJWT } from "jose";
import { auth } from "../../../src/http/hooks/auth.ts";
import { hmacCheck } from "../../../src/http/hooks/auth_hmac.ts";
import { exchange, statusOf, textOf } from "./support.ts";

const JWT = { clock_tolerance: "30s", required: ["exp"] };
const HMAC = {
  header: "x-hub-signature-256",
  algorithm: "sha256",
  encoding: "hex",
  prefix: "sha256=",
  tolerance: "5m",
} as const;
const SECRET = "0123456789abcdef0123456789abcdef";

function bearer(token: string) {
  return exchange({ headers: { authorization: `Bearer ${token}` } });
}

function token(claims: Record<string, unknown>, alg = "HS256") {
  return new SignJWT(claims).setProtectedHeader({ alg });
}

Deno.test("a JWT by RFC 7515, appendix A.3, is let in", async () => {
  const jwks = JSON.stringify({
    keys: [{
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }],
  });
  const text = "eyJhbGciOiJFUzI1NiJ9." +
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  const settings = { ...JWT, algorithms: ["ES256"], jwks, issuer: "joe" };
  // It expired in 2011.
  const old = await auth({ jwt: { ...settings, clock_tolerance: "36500d" } });
  assert.equal(await statusOf(old, bearer(text)), 0);
  assert.equal(await statusOf(await auth({ jwt: settings }), bearer(text)), 401);
  const forged = text.replace("DtEh", "DtEi");
  assert.equal(await statusOf(old, bearer(forged)), 401);
});

Deno.test("a JWT with a shared secret must be whole, in time and for us", async () => {
  const hook = await auth({
    jwt: { ...JWT, algorithms: ["HS256"], secret: SECRET, issuer: "i", audience: "a" },
  });
  const key = new TextEncoder().encode(SECRET);
  const claims = { iss: "i", aud: "a", sub: "ann" };
  const good = bearer(await token(claims).setExpirationTime("1m").sign(key));
  good.headers.set("busbar-subject", "root");
  assert.equal(await statusOf(hook, good), 0);
  assert.deepEqual([good.subject, good.headers.get("busbar-subject")], ["ann", "ann"]);
  const strange = { ...claims, sub: "a\r\nb: \u00e4%" };
  const encoded = bearer(await token(strange).setExpirationTime("1m").sign(key));
  assert.equal(await statusOf(hook, encoded), 0);
  assert.equal(encoded.headers.get("busbar-subject"), "a%0D%0Ab:%20%C3%A4%25");
  const wrong = [
    await token(claims).sign(key),
    await token(claims).setExpirationTime("-1m").sign(key),
    await token({ ...claims, iss: "x" }).setExpirationTime("1m").sign(key),
    await token({ ...claims, aud: "x" }).setExpirationTime("1m").sign(key),
    await token(claims).setNotBefore("5m").setExpirationTime("9m").sign(key),
    await token(claims).setExpirationTime("1m").sign(new TextEncoder().encode(SECRET + "!")),
    await token(claims, "HS512").setExpirationTime("1m").sign(key),
    `${btoa('{"alg":"none"}').replaceAll("=", "")}.${
      btoa(JSON.stringify(claims)).replaceAll("=", "")
    }.`,
    "nonsense",
  ];
  for (const text of wrong) assert.equal(await statusOf(hook, bearer(text)), 401, text);
  assert.equal(await statusOf(hook, exchange()), 401);
});

Deno.test("a JWT is for one of several audiences, from one of several issuers", async () => {
  const jwt = { algorithms: ["HS256"], secret: SECRET, issuer: ["i", "j"], audience: ["a", "b"] };
  const hook = await auth({ jwt: { ...JWT, ...jwt } });
  const key = new TextEncoder().encode(SECRET);
  for (
    const [iss, aud, status] of [
      ["j", ["x", "b"], 0],
      ["i", "a", 0],
      ["k", "a", 401],
      ["i", ["x", "y"], 401],
      ["i", [], 401],
    ] as const
  ) {
    const signed = await token({ iss, aud }).setExpirationTime("1m").sign(key);
    assert.equal(await statusOf(hook, bearer(signed)), status, `${iss} ${aud}`);
  }
});

Deno.test("a JWT whose subject is no text is refused", async () => {
  const hook = await auth({ jwt: { ...JWT, algorithms: ["HS256"], secret: SECRET } });
  const key = new TextEncoder().encode(SECRET);
  for (const sub of [5, { name: "ann" }, ["ann"], true]) {
    const signed = await token({ sub }).setExpirationTime("1m").sign(key);
    assert.equal(await statusOf(hook, bearer(signed)), 401, JSON.stringify(sub));
  }
});

Deno.test("a public key is never taken for a shared secret", async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256");
  const pem = await exportSPKI(publicKey);
  const hook = await auth({ jwt: { ...JWT, algorithms: ["RS256"], public_key: pem } });
  const signed = (alg: string, key: CryptoKey | Uint8Array) =>
    token({ sub: "ann" }, alg).setExpirationTime("1m").sign(key);
  assert.equal(await statusOf(hook, bearer(await signed("RS256", privateKey))), 0);
  const confused = await signed("HS256", new TextEncoder().encode(pem));
  assert.equal(await statusOf(hook, bearer(confused)), 401);
  for (
    const jwt of [
      { ...JWT, algorithms: ["HS256", "RS256"], secret: SECRET },
      { ...JWT, algorithms: ["HS256"], public_key: pem },
      { ...JWT, algorithms: ["HS256"], secret: "short" },
      { ...JWT, algorithms: ["RS256"] },
      { ...JWT, algorithms: ["RS256"], jwks: "{" },
      { ...JWT, algorithms: ["RS256"], jwks: "[]" },
    ]
  ) await assert.rejects(auth({ jwt }), Error, JSON.stringify(jwt));
});

Deno.test("a signature by GitHub's test vector is let in", async () => {
  const hook = await auth({ hmac: { ...HMAC, secret: "It's a Secret to Everybody" } });
  const signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const send = (body: string, text: string) =>
    exchange({ method: "POST", body, headers: { "x-hub-signature-256": text } });
  assert.equal(await statusOf(hook, send("Hello, World!", `sha256=${signature}`)), 0);
  for (
    const [body, text] of [
      ["Hello, World?", `sha256=${signature}`],
      ["Hello, World!", signature],
      ["Hello, World!", `sha256=${signature.slice(2)}`],
      ["Hello, World!", "sha256=zz"],
    ] as const
  ) assert.equal(await statusOf(hook, send(body, text)), 401, text);
});

Deno.test("a signature with a time is good for the tolerance only", async () => {
  const now = 1_700_000_000_000;
  const settings = { ...HMAC, prefix: "", secret: "s", timestamp_header: "x-time" };
  const check = await hmacCheck(settings, () => now);
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode("s"),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const at = async (seconds: number, signedFor = seconds) => {
    const signed = new TextEncoder().encode(`${signedFor}.body`);
    const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed)).toHex();
    const headers = { "x-hub-signature-256": signature, "x-time": `${seconds}` };
    return await check(exchange({ method: "POST", body: "body", headers }));
  };
  assert.deepEqual(await at(now / 1000), { subject: "hmac" });
  assert.deepEqual(await at(now / 1000 - 299), { subject: "hmac" });
  assert.ok("refused" in (await at(now / 1000 - 301))!);
  assert.ok("refused" in (await at(now / 1000 + 301))!);
  assert.ok("refused" in (await at(now / 1000, now / 1000 - 1))!);
});

Deno.test("name and password are compared as a whole", async () => {
  const hook = await auth({ basic: { realm: 'a"b', users: { ann: "p\u00e4ss:word", bob: "x" } } });
  const basic = (text: string) =>
    exchange({
      headers: { authorization: `Basic ${new TextEncoder().encode(text).toBase64()}` },
    });
  const ann = basic("ann:p\u00e4ss:word");
  assert.equal(await statusOf(hook, ann), 0);
  assert.equal(ann.subject, "ann");
  for (const text of ["ann:x", "bob:p\u00e4ss:word", "eve:x", "ann", ":", ""]) {
    assert.equal(await statusOf(hook, basic(text)), 401, text);
  }
  const answer = (await hook.before!(exchange()))!;
  assert.equal(answer.headers.get("www-authenticate"), 'Basic realm="ab", charset="UTF-8"');
  assert.match(textOf(answer), /Not let in: no credentials/);
});

Deno.test("one of several ways is enough, and none is an error", async () => {
  const hook = await auth({
    jwt: { ...JWT, algorithms: ["HS256"], secret: SECRET },
    basic: { realm: "r", users: { ann: "x" } },
  });
  const headers = { authorization: `Basic ${btoa("ann:x")}` };
  assert.equal(await statusOf(hook, exchange({ headers })), 0);
  await assert.rejects(auth({}), /it lets nobody in/);
});
