import assert from "node:assert/strict";
import { extractRuntime } from "../../../scripts/lib/compile_runtime.ts";

/** A program as deno compile makes it: runtime, payload, the payload's length. */
function program(runtime: string, payload: string, length = payload.length + 8): Uint8Array {
  const bytes = new Uint8Array(runtime.length + payload.length + 8);
  bytes.set(new TextEncoder().encode(runtime + payload));
  new DataView(bytes.buffer).setBigUint64(bytes.length - 8, BigInt(length), true);
  return bytes;
}

Deno.test("extractRuntime() gives all before the payload", () => {
  const runtime = extractRuntime(program("ELF and so on", "d3n0l4nd and a program"));
  assert.equal(new TextDecoder().decode(runtime), "ELF and so on");
});

Deno.test("extractRuntime() refuses a file without a payload", () => {
  const files = [
    new Uint8Array(),
    new Uint8Array(7),
    new Uint8Array(64),
    program("ELF", "another magic"),
    program("ELF", "d3n0l4nd", 2 ** 40),
    new Uint8Array(64).fill(255),
  ];
  for (const file of files) {
    assert.throws(() => extractRuntime(file), /not a program made by deno compile/);
  }
});
