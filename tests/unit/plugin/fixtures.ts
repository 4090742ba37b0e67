import assert from "node:assert/strict";
import { join } from "node:path";
import { PluginError, type PluginErrorCode } from "../../../src/plugin/errors.ts";
import type { HostFacts } from "../../../src/plugin/host_facts.ts";
import type { Manifest } from "../../../src/plugin/manifest.ts";

/** The ABI hash that fixture plugins carry; tests name it as known in their own host facts. */
export const HASH = "5".repeat(64);

/** A valid manifest with `over` laid on it. */
export function manifestOf(name: string, over: Partial<Manifest> = {}): Manifest {
  return {
    name,
    version: "1.0.0",
    abi: "0.1",
    requires_minor: 1,
    target: Deno.build.target,
    components: [{ kind: "source", name: "main" }],
    build: {
      language: "c",
      toolchain_version: "gcc 12.2.0",
      build_profile: "release",
      build_flags: [],
      dependency_hashes: {},
    },
    ...over,
  };
}

/** Runs a compiler or tool in `cwd`; throws with its output when it fails. */
export async function run(cwd: string, command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    stdout: "null",
    stderr: "piped",
  })
    .output();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** How `buildPlugin` departs from a good plugin. */
export interface PluginOptions {
  /** The embedded manifest: an object, or text used as it is; null leaves the symbol out. */
  manifest?: Manifest | string | null;
  /** The embedded hash; null leaves the symbol out. */
  hash?: string | null;
  /** C put after the exports. */
  code?: string;
  /** Leaves `busbar_plugin` out. */
  noRoot?: boolean;
  args?: string[];
}

/** Compiles a plugin named after its manifest into `folder/file` and returns that path. */
export async function buildPlugin(
  folder: string,
  file: string,
  options: PluginOptions = {},
): Promise<string> {
  const { hash = HASH, code = "", noRoot = false, args = [] } = options;
  const manifest = options.manifest === undefined ? manifestOf("fixture") : options.manifest;
  const text = typeof manifest === "object" && manifest !== null
    ? JSON.stringify(manifest)
    : manifest;
  const source = [
    hash === null ? "" : `const char busbar_abi_hash[] = ${JSON.stringify(hash)};`,
    text === null ? "" : `const char busbar_manifest[] = ${JSON.stringify(text)};`,
    noRoot ? "" : "const void *busbar_plugin(const void *host) { return host; }",
    code,
    "",
  ].join("\n");
  await Deno.mkdir(folder, { recursive: true });
  const c = await Deno.makeTempFile({ suffix: ".c" });
  try {
    await Deno.writeTextFile(c, source);
    await run(folder, "gcc", "-shared", "-fPIC", "-O1", "-o", file, c, ...args);
  } finally {
    await Deno.remove(c);
  }
  return join(folder, file);
}

/** Calls `body` with a temporary folder that is removed afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar-plugin-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A host that knows the fixtures' ABI hash and has no other demands. */
export const HOST: HostFacts = {
  target: Deno.build.target,
  machine: Deno.build.arch,
  format: "ELF",
  glibc: undefined,
  abi: { current: "0.1", versions: [{ version: "0.1", hash: HASH }] },
};

/** Asserts that `work` fails with a PluginError of `code` whose message matches. */
export async function assertRefused(
  work: Promise<unknown>,
  code: PluginErrorCode,
  message: RegExp,
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof PluginError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\.$/);
    return true;
  });
}
