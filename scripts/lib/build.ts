import { basename, join, relative } from "node:path";
import { sdkPaths } from "../../src/project/sdk_files.ts";
import { makeBuildInfo, makeBuildLock } from "./build_info.ts";
import {
  buildConformance,
  CONFORMANCE_DRIVER,
  HAS_CONFORMANCE_DRIVER,
} from "./build_conformance.ts";
import { buildPlugins } from "./build_plugins.ts";
import {
  compilerOf,
  LIBRARY_SUFFIX,
  LINK_FLAGS,
  toolchainVersion,
} from "../../src/project/toolchain.ts";
import { type CompileRuntime, findRuntime } from "./compile_runtime.ts";
import { hashFiles, listFiles, main, PROJECT, run, whenChanged, writeAtomic } from "./files.ts";
import { type SourceState, sourceState } from "./source_state.ts";

const SHIM_FLAGS = [
  "-std=c11",
  "-O2",
  "-fPIC",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
  "-Werror",
];

/** Files that the binary reads from inside itself, by their paths relative to the project. */
export const EMBEDDED = [
  `dist/shim/libbusbar_shim${LIBRARY_SUFFIX}`,
  "dist/build_info.json",
  "ffi/abi_versions.json",
  ...(HAS_CONFORMANCE_DRIVER ? [CONFORMANCE_DRIVER] : []),
];

/** Those, and what `busbar plugin new` writes: templates and SDKs. */
async function embeddedFiles(root: string): Promise<string[]> {
  const sdks = await sdkPaths(join(root, "ffi"));
  const templates = await listFiles(join(root, "src/project/templates"));
  return [
    ...EMBEDDED,
    ...sdks.map((path) => `ffi/${path}`),
    ...templates.map((path) => relative(root, path)),
  ];
}

/** Builds all of `dist/` that is out of date. */
async function build(root: string, log: (line: string) => void): Promise<void> {
  const source = await sourceState(root);
  const shim = await buildShim(root, log);
  if (HAS_CONFORMANCE_DRIVER) await buildConformance(root, log);
  const strict = Deno.env.get("CI") === "true";
  const manifests = await buildPlugins({ root, strict, log });
  await writeAtomic(join(root, "dist/build.lock"), json(makeBuildLock(manifests)));
  await buildBinary(root, { source, shim, log });
}

async function buildShim(root: string, log: (line: string) => void): Promise<string> {
  const files = await listFiles(join(root, "ffi/shim"));
  const sources = files.filter((file) => file.endsWith(".c"));
  if (sources.length === 0) throw new Error("Cannot build the shim: ffi/shim holds no C file");
  const include = join(root, "ffi/include");
  const version = await toolchainVersion("c");
  if (!version) throw new Error(`Cannot build the shim: "${compilerOf("c")}" is not installed`);
  const output = join(root, EMBEDDED[0]!);
  const ran = await whenChanged({
    stamp: join(root, "dist/.stamps/shim"),
    key: version + SHIM_FLAGS + await hashFiles(root, [...files, ...await listFiles(include)]),
    outputs: [output],
  }, async () => {
    const folder = await Deno.makeTempDir({ prefix: "busbar_shim_" });
    try {
      const library = join(folder, "shim");
      const paths = [`-ffile-prefix-map=${root}=.`, "-I", include];
      const libs = Deno.build.os === "linux" ? ["-ldl", "-lpthread"] : [];
      await run([
        compilerOf("c"),
        ...SHIM_FLAGS,
        ...LINK_FLAGS,
        ...paths,
        ...sources,
        ...libs,
        "-o",
        library,
      ]);
      await writeAtomic(output, await Deno.readFile(library), { mode: 0o755 });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
  if (ran) log("shim");
  return output;
}

async function buildBinary(
  root: string,
  { source, shim, log }: { source: SourceState; shim: string; log: (line: string) => void },
): Promise<void> {
  const runtime = await findRuntime(root, log);
  const info = await makeBuildInfo(root, { source, denortSha256: runtime.sha256, shim });
  const text = json(info);
  await writeAtomic(join(root, "dist/build_info.json"), text);
  const output = join(root, "dist/busbar");
  const ran = await whenChanged({
    stamp: join(root, "dist/.stamps/busbar"),
    key: await hashFiles(root, [join(root, "dist/build_info.json")]),
    outputs: [output],
  }, () => compileBinary(root, output, runtime));
  if (ran) log(`dist/busbar ${info.version}, build ${info.buildId.slice(0, 12)}`);
}

async function compileBinary(root: string, output: string, runtime: CompileRuntime): Promise<void> {
  // Renamed into place: deno compile refuses to replace a file that it did not make, and a running one stays.
  const folder = await Deno.makeTempDir({ dir: join(root, "dist"), prefix: ".compile_" });
  try {
    const binary = join(folder, basename(output));
    const command = [Deno.execPath(), "compile", "--quiet", "--frozen", "-A", "--output", binary];
    // For src/host/host.ts, which gives memory back once it has started.
    command.push("--v8-flags=--expose-gc");
    for (const file of await embeddedFiles(root)) command.push("--include", file);
    const env: Record<string, string> = runtime.path ? { DENORT_BIN: runtime.path } : {};
    await run([...command, "main.ts"], { cwd: root, env });
    await Deno.rename(binary, output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}

if (import.meta.main) {
  await main("build", () => {
    if (Deno.args.length > 0) throw new Error(`Cannot build: unknown argument "${Deno.args[0]}"`);
    return build(PROJECT, (line) => console.log(`build: ${line}`));
  });
}
