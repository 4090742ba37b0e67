import assert from "node:assert/strict";
import { compilerTarget, normaliseTarget } from "../../../src/project/toolchain.ts";

Deno.test("normaliseTarget() gives Rust-style triples", () => {
  const triples = {
    "x86_64-linux-gnu": "x86_64-unknown-linux-gnu",
    "x86_64-redhat-linux": "x86_64-unknown-linux-gnu",
    "x86_64-pc-linux-gnu": "x86_64-unknown-linux-gnu",
    "aarch64-linux-gnu": "aarch64-unknown-linux-gnu",
    "x86_64-alpine-linux-musl": "x86_64-unknown-linux-musl",
    "arm64-apple-darwin23.1.0": "aarch64-apple-darwin",
  };
  for (const [machine, triple] of Object.entries(triples)) {
    assert.equal(normaliseTarget(machine), triple);
  }
});

Deno.test("normaliseTarget() refuses a system it does not know", () => {
  assert.throws(
    () => normaliseTarget("x86_64-w64-mingw32"),
    /target "x86_64-w64-mingw32" is not known/,
  );
});

Deno.test("compilerTarget() is the target that Deno runs on", async () => {
  assert.equal(await compilerTarget(), Deno.build.target);
});
