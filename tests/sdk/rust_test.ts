/** The tests of the Rust SDK, of its examples and of the plugins in Rust, as their authors would run them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT, runProgram } from "../support/c_program.ts";

// Kept between runs, so that only what has changed is compiled.
const env = { CARGO_TARGET_DIR: join(PROJECT, ".tools/cargo-target"), CARGO_TERM_COLOR: "never" };

/** Packages, with what is to be switched on, and how many programs of tests `cargo test` runs in each. */
const PACKAGES = [
  { folder: "ffi/rust", options: ["--all-features"], programs: 8 },
  { folder: "ffi/examples/word_count/rust", options: [], programs: 2 },
  { folder: "ffi/examples/pass_through/rust", options: [], programs: 2 },
  { folder: "plugins/regex_route", options: [], programs: 3 },
  { folder: "plugins/http_push", options: [], programs: 3 },
];

for (const { folder, options, programs } of PACKAGES) {
  Deno.test(`cargo test, clippy and rustfmt find nothing in ${folder}`, async (t) => {
    const manifest = ["--manifest-path", join(PROJECT, folder, "Cargo.toml")];
    await t.step("rustfmt", async () => {
      const { success, stdout, stderr } = await runProgram("cargo", [
        ...["fmt", "--all", "--check"],
        ...manifest,
      ]);
      assert.ok(success, stdout + stderr);
    });
    await t.step("clippy", async () => {
      const { success, stderr } = await runProgram("cargo", [
        ...["clippy", "--quiet", "--locked", "--all-targets"],
        ...[...options, ...manifest, "--", "-D", "warnings"],
      ], env);
      assert.ok(success, stderr);
    });
    await t.step("cargo test", async () => {
      const { success, stdout, stderr } = await runProgram("cargo", [
        ...["test", "--quiet", "--locked", "--no-fail-fast"],
        ...[...options, ...manifest],
      ], env);
      assert.ok(success, stdout + stderr);
      const results = [...stdout.matchAll(/^test result: ok\. .* 0 failed; 0 ignored;/gm)];
      assert.ok(results.length >= programs, `${results.length} of ${programs}: ${stdout}`);
    });
  });
}
