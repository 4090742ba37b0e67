import assert from "node:assert/strict";
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from "../../../src/plugin/manifest.ts";
import { PluginError } from "../../../src/plugin/errors.ts";
import { manifestOf } from "./fixtures.ts";

const file = "libbusbar_source_x.so";

function fault(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  try {
    parseManifest(text, { file });
  } catch (error) {
    assert.ok(error instanceof PluginError);
    assert.equal(error.code, "InvalidManifest");
    assert.equal(error.path, file);
    return error.message;
  }
  throw new assert.AssertionError({ message: "the manifest was accepted" });
}

Deno.test("parseManifest() reads every field of a complete manifest", () => {
  const manifest = manifestOf("file-tail", {
    description: "Follows files",
    license: "Apache-2.0",
    components: [
      {
        kind: "source",
        name: "tail",
        replayable: true,
        blocking: false,
        config_schema: { type: "object" },
      },
      { kind: "processor", name: "route", outputs: ["errors", "rest"] },
      { kind: "service", name: "ask", concurrency: 4 },
    ],
  });
  const parsed: Manifest = parseManifest(JSON.stringify(manifest), { file });
  assert.deepEqual(parsed, manifest);
  assert.deepEqual(
    parseManifest(new TextEncoder().encode(JSON.stringify(manifest)), { file }),
    manifest,
  );
});

Deno.test("parseManifest() takes no offence at keys of a later version", () => {
  const manifest = { ...manifestOf("x"), later: { a: 1 } };
  assert.equal(parseManifest(JSON.stringify(manifest), { file }).name, "x");
});

Deno.test("parseManifest() gives line and path of every fault", () => {
  const manifest = manifestOf("x");
  const message = fault({
    ...manifest,
    version: "1.0",
    components: [{ kind: "sauce", name: "Tail" }],
  });
  assert.match(message, /^Cannot read the manifest of "libbusbar_source_x\.so": /);
  assert.match(message, /line 3, \$\.version: must be a semantic version/);
  assert.match(message, /line 9, \$\.components\[0\]\.kind: /);
  assert.match(message, /line 10, \$\.components\[0\]\.name: must be lower-case/);
});

Deno.test("parseManifest() refuses wrong names, versions, ABI versions and targets", () => {
  const manifest = manifestOf("x");
  for (const name of ["", "X", "1a", "a_b", "a/b", "../a", "a".repeat(65), 7]) {
    assert.match(fault({ ...manifest, name }), /\$\.name/);
  }
  for (const version of ["", "1", "v1.0.0", "1.0.0 ", "01.0.0", "latest", null]) {
    assert.match(fault({ ...manifest, version }), /\$\.version/);
  }
  for (const abi of ["1", "a.b", 0.1]) assert.match(fault({ ...manifest, abi }), /\$\.abi/);
  for (const minor of [-1, 1.5, "1", 70000]) {
    assert.match(fault({ ...manifest, requires_minor: minor }), /\$\.requires_minor/);
  }
  for (const target of ["linux", "x86_64 linux gnu"]) {
    assert.match(fault({ ...manifest, target }), /\$\.target/);
  }
});

Deno.test("parseManifest() accepts versions with pre-release and build parts", () => {
  const manifest = manifestOf("x", { version: "1.2.3-rc.1+build.5" });
  assert.equal(parseManifest(JSON.stringify(manifest), { file }).version, "1.2.3-rc.1+build.5");
});

Deno.test("parseManifest() refuses components of one name and outputs of a source", () => {
  const twice = [{ kind: "source", name: "a" }, { kind: "reaction", name: "a" }];
  assert.match(fault({ ...manifestOf("x"), components: twice }), /"a" names two components/);
  const outputs = [{ kind: "source", name: "a", outputs: ["b"] }];
  assert.match(fault({ ...manifestOf("x"), components: outputs }), /only a processor has outputs/);
  const same = [{ kind: "processor", name: "a", outputs: ["b", "b"] }];
  assert.match(fault({ ...manifestOf("x"), components: same }), /a name of its own/);
  assert.match(fault({ ...manifestOf("x"), components: [] }), /\$\.components/);
});

Deno.test("parseManifest() refuses what is not JSON, not UTF-8, or too large", () => {
  assert.match(fault('{ "name": '), /not JSON: /);
  assert.match(fault("[".repeat(100_000)), /not JSON: /);
  const long = JSON.stringify(
    { description: '\\"'.repeat(200_000), license: "x".repeat(100_000) },
    null,
    1,
  );
  assert.match(fault(long), /line 2, \$\.description: /);
  assert.match(fault("[]"), /line 1, \$: /);
  assert.match(fault(" ".repeat(MAX_MANIFEST_BYTES + 1)), /larger than 1048576 bytes/);
  assert.throws(() => parseManifest(Uint8Array.of(0x22, 0xff, 0x22), { file }), /not UTF-8/);
});
