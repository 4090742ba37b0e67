import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { dependenciesOf, makeBuildInfo, makeBuildLock } from "../../../scripts/lib/build_info.ts";
import { run } from "../../../scripts/lib/files.ts";
import { sourceState } from "../../../scripts/lib/source_state.ts";

const HASH = "a".repeat(64);
const FILES = {
  "main.ts": "export {};\n",
  "deno.json": '{ "version": "0.1.0" }',
  "deno.lock": "{}",
  "src/cli/run.ts": "export {};\n",
  "ffi/abi_versions.json": JSON.stringify({
    current: "0.1",
    versions: [{ version: "0.1", hash: HASH }],
  }),
  "shim.so": "code",
};

async function inProject(action: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(FILES)) {
      await Deno.mkdir(dirname(join(root, name)), { recursive: true });
      await Deno.writeTextFile(join(root, name), text);
    }
    await action(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function infoOf(root: string, commit: string | null = null) {
  const source = { commit, time: "2026-01-01T00:00:00.000Z" };
  return await makeBuildInfo(root, { source, denortSha256: "d", shim: join(root, "shim.so") });
}

Deno.test("makeBuildInfo() gives the same build id for the same tree, wherever and whenever", async () => {
  await inProject(async (root) => {
    const info = await infoOf(root);
    assert.match(info.buildId, /^[0-9a-f]{64}$/);
    assert.deepEqual(info.abi, { version: "0.1", hash: HASH });
    assert.equal(info.deno, Deno.version.deno);
    await inProject(async (other) =>
      assert.equal((await infoOf(other, "c0ffee")).buildId, info.buildId)
    );
  });
});

Deno.test("makeBuildInfo() gives another build id when source, lock, contract or shim change", async () => {
  await inProject(async (root) => {
    const seen = new Set([(await infoOf(root)).buildId]);
    for (const name of ["src/cli/run.ts", "src/new.ts", "deno.lock", "ffi/layout.ts", "shim.so"]) {
      await Deno.writeTextFile(join(root, name), "{ }");
      seen.add((await infoOf(root)).buildId);
    }
    assert.equal(seen.size, 6);
  });
});

Deno.test("dependenciesOf() reads names with scopes and versions with peers", () => {
  const npm = {
    "@logtape/pretty@2.3.7_@logtape+logtape@2.4.2": { integrity: "x" },
    "zod@4.6.7": { integrity: "y" },
  };
  assert.deepEqual(dependenciesOf({ npm }), [
    { name: "@logtape/pretty", version: "2.3.7", integrity: "x" },
    { name: "zod", version: "4.6.7", integrity: "y" },
  ]);
  const [only, ...others] = dependenciesOf({ npm }, new Set(["zod@4.6.7"]));
  assert.deepEqual([only?.name, others], ["zod", []]);
});

Deno.test("makeBuildLock() keeps what compatibility strict compares", () => {
  const kept = {
    language: "c",
    toolchain_version: "gcc 12",
    build_profile: "release",
    dependency_hashes: { z: "1" },
  };
  const build = { ...kept, build_time: "2026-01-01T00:00:00.000Z" };
  assert.deepEqual(makeBuildLock([{ name: "tiny", build }]), { plugins: { tiny: kept } });
});

Deno.test("sourceState() takes commit and time from git, and says when files differ", async () => {
  await inProject(async (root) => {
    assert.deepEqual(await sourceState(root, {}), {
      commit: null,
      time: "1970-01-01T00:00:00.000Z",
    });
    const date = "2026-02-03T04:05:06Z";
    const env = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date, GIT_CONFIG_GLOBAL: "/dev/null" };
    const git = (...args: string[]) =>
      run(["git", "-c", "user.name=a", "-c", "user.email=b@c", ...args], { cwd: root, env });
    await git("init", "--quiet");
    await git("add", ".");
    await git("commit", "--quiet", "-m", "first");
    const { commit, time } = await sourceState(root, {});
    assert.match(commit!, /^[0-9a-f]{40}$/);
    assert.equal(time, "2026-02-03T04:05:06.000Z");
    await Deno.writeTextFile(join(root, "main.ts"), "changed");
    assert.equal((await sourceState(root, {})).commit, `${commit}-dirty`);
    assert.equal(
      (await sourceState(root, { SOURCE_DATE_EPOCH: "86400" })).time,
      "1970-01-02T00:00:00.000Z",
    );
    await assert.rejects(
      sourceState(root, { SOURCE_DATE_EPOCH: "now" }),
      /SOURCE_DATE_EPOCH: "now" is not/,
    );
  });
});
