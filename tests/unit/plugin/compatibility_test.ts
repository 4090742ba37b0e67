import assert from "node:assert/strict";
import { join } from "node:path";
import { type BuildLock, readBuildLock } from "../../../src/plugin/build_lock.ts";
import { judgeCompatibility } from "../../../src/plugin/compatibility.ts";
import type { BinaryFacts } from "../../../src/plugin/binary.ts";
import type { Manifest } from "../../../src/plugin/manifest.ts";
import { assertRefused, HASH, HOST, manifestOf, withFolder } from "./fixtures.ts";

const binary: BinaryFacts = {
  machine: HOST.machine,
  format: "ELF",
  linkName: undefined,
  minimumSystem: undefined,
  protections: [],
  signed: undefined,
  slices: [],
  needed: [],
  runpath: [],
  rpath: [],
  target: HOST.target,
  exported: [],
  undefinedSymbols: [],
  neededVersions: [],
  requiredGlibc: undefined,
  runtime: undefined,
  executableStack: false,
};

interface Case {
  abiHash?: string | undefined;
  manifest?: Partial<Manifest>;
  binary?: Partial<BinaryFacts>;
  host?: Partial<typeof HOST>;
  strict?: BuildLock | "none";
}

/** The messages of what differs. */
function differences(options: Case): string[] {
  const judged = {
    abiHash: "abiHash" in options ? options.abiHash : HASH,
    manifest: manifestOf("x", options.manifest),
    binary: { ...binary, ...options.binary },
  };
  const { strict } = options;
  const judgements = judgeCompatibility(judged, { ...HOST, ...options.host }, {
    mode: strict ? "strict" : "abi",
    ...(strict && strict !== "none" && { buildLock: strict }),
  });
  for (const { ok, message } of judgements) assert.equal(ok, message === "");
  return judgements.filter(({ ok }) => !ok).map(({ message }) => message);
}

Deno.test("judgeCompatibility() finds nothing against a plugin built for this host", () => {
  assert.deepEqual(differences({}), []);
});

Deno.test("judgeCompatibility() refuses a missing or unknown hash and names both sides", () => {
  assert.deepEqual(differences({ abiHash: undefined }), [
    `ABI hash differs: plugin none, host "${HASH}" (rebuild the plugin with this host's busbar.h, version 0.1)`,
  ]);
  const [message] = differences({ abiHash: "a".repeat(64) });
  assert.ok(message?.includes(`plugin "${"a".repeat(64)}", host "${HASH}"`), message);
});

Deno.test("judgeCompatibility() accepts every listed hash, and an abi that belongs to it", () => {
  const abi = {
    current: "0.2",
    versions: [{ version: "0.1", hash: HASH }, { version: "0.2", hash: "6".repeat(64) }],
  };
  assert.deepEqual(differences({ host: { abi } }), []);
  assert.match(
    differences({ host: { abi }, manifest: { abi: "0.2" } }).join(),
    /^abi differs: plugin "0.2", host "0.1"$/,
  );
  const stable = { current: "1.4", versions: [{ version: "1.0", hash: HASH }] };
  assert.deepEqual(
    differences({ host: { abi: stable }, manifest: { abi: "1.2", requires_minor: 4 } }),
    [],
  );
});

Deno.test("judgeCompatibility() accepts an older minor and refuses a newer one", () => {
  assert.deepEqual(differences({ manifest: { requires_minor: 0 } }), []);
  assert.deepEqual(differences({ manifest: { requires_minor: 2 } }), [
    'requires_minor differs: plugin "2", host "1" (use a newer host)',
  ]);
});

Deno.test("judgeCompatibility() lists every differing field with both values", () => {
  const messages = differences({
    abiHash: undefined,
    manifest: { abi: "0.3", requires_minor: 3, target: "riscv64gc-unknown-linux-gnu" },
    binary: { machine: HOST.machine === "x86_64" ? "aarch64" : "x86_64", requiredGlibc: "2.40" },
    host: { glibc: "2.36" },
  });
  const fields = messages.map((message) => message.split(" differs")[0]);
  assert.deepEqual(fields, [
    "ABI hash",
    "abi",
    "requires_minor",
    "target",
    "machine type of the file",
    "required glibc",
  ]);
  assert.match(messages.at(-1) ?? "", /plugin "2.40", host "2.36"/);
});

Deno.test("judgeCompatibility() compares glibc versions as numbers, and not at all where one is unknown", () => {
  assert.deepEqual(differences({ binary: { requiredGlibc: "2.9" }, host: { glibc: "2.36" } }), []);
  assert.deepEqual(differences({ binary: { requiredGlibc: "2.99" } }), []);
});

Deno.test("strict compatibility compares toolchain, profile and every dependency with the build lock", () => {
  const { build } = manifestOf("x");
  const hashes = { "zlib@1.2": "aa", "bar@1": "bb" };
  const lock: BuildLock = { plugins: { x: { ...build, dependency_hashes: hashes } } };
  const manifest = { build: { ...build, dependency_hashes: hashes } };
  assert.deepEqual(differences({ manifest, strict: lock }), []);
  const other = {
    build: {
      ...build,
      toolchain_version: "gcc 13",
      build_profile: "debug",
      dependency_hashes: { "zlib@1.2": "ab", "c@1": "d" },
    },
  };
  assert.deepEqual(differences({ manifest: other }), []);
  assert.deepEqual(differences({ manifest: other, strict: lock }), [
    'toolchain_version differs: plugin "gcc 13", host "gcc 12.2.0"',
    'build_profile differs: plugin "debug", host "release"',
    'dependency_hashes["bar@1"] differs: plugin none, host "bb"',
    'dependency_hashes["c@1"] differs: plugin "d", host none',
    'dependency_hashes["zlib@1.2"] differs: plugin "ab", host "aa"',
  ]);
  assert.match(differences({ strict: { plugins: {} } }).join(), /does not list plugin "x"/);
  assert.match(differences({ strict: "none" }).join(), /host none/);
});

Deno.test("readBuildLock() reads what a build wrote, and says why it cannot", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "build.lock");
    await assertRefused(
      readBuildLock(path),
      "BuildMismatch",
      /^Cannot read the build lock ".*build\.lock", which strict/,
    );
    await Deno.writeTextFile(path, '{"plugins":{"x":{"toolchain_version":1}}}');
    await assertRefused(readBuildLock(path), "BuildMismatch", /plugins\.x/);
    const { toolchain_version, build_profile, dependency_hashes } = manifestOf("x").build;
    const lock = { plugins: { x: { toolchain_version, build_profile, dependency_hashes } } };
    await Deno.writeTextFile(path, JSON.stringify({ ...lock, more: 1 }));
    assert.deepEqual(await readBuildLock(path), lock);
  });
});
