import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { sdkPaths } from "../../src/project/sdk_files.ts";
import { type BuildInfo, makeBuildInfo, makeBuildLock } from "./build_info.ts";
import {
  buildConformance,
  CONFORMANCE_DRIVER,
  HAS_CONFORMANCE_DRIVER,
} from "./build_conformance.ts";
import { buildPlugins } from "./build_plugins.ts";
import { type BuiltinChoice, chooseBuiltins, copySources, importedPackages } from "./builtins.ts";
import {
  compilerOf,
  LIBRARY_SUFFIX,
  LINK_FLAGS,
  toolchainVersion,
} from "../../src/project/toolchain.ts";
import { type CompileRuntime, findRuntime } from "./compile_runtime.ts";
import {
  hashFiles,
  listFiles,
  main,
  PROJECT,
  run,
  statOrNothing,
  whenChanged,
  writeAtomic,
} from "./files.ts";
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

const SHIM = `dist/shim/libbusbar_shim${LIBRARY_SUFFIX}`;
const BUILD_INFO = "dist/build_info.json";

/** Files that the binary reads from inside itself, by their paths relative to the project. */
export const EMBEDDED = [
  SHIM,
  BUILD_INFO,
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

/** A binary with a part of the built-in components. */
interface CustomBinary extends BuiltinChoice {
  output: string;
}

/** Builds all of `dist/` that is out of date; with `custom` that binary instead of `dist/busbar`. */
async function build(
  root: string,
  { log, custom }: { log: (line: string) => void; custom: CustomBinary | undefined },
): Promise<void> {
  const source = await sourceState(root);
  await buildShim(root, log);
  if (HAS_CONFORMANCE_DRIVER) await buildConformance(root, log);
  const strict = Deno.env.get("CI") === "true";
  const manifests = await buildPlugins({ root, strict, log });
  await writeAtomic(join(root, "dist/build.lock"), json(makeBuildLock(manifests)));
  const runtime = await findRuntime(root, log);
  if (custom) return await buildCustom(root, { source, runtime, log, custom });
  const output = join(root, "dist/busbar");
  const stamp = join(root, "dist/.stamps/busbar");
  const info = await buildBinary(root, { source, runtime, output, stamp });
  if (info) log(`dist/busbar ${info.version}, build ${info.buildId.slice(0, 12)}`);
}

async function buildShim(root: string, log: (line: string) => void): Promise<string> {
  const files = await listFiles(join(root, "ffi/shim"));
  const sources = files.filter((file) => file.endsWith(".c"));
  if (sources.length === 0) throw new Error("Cannot build the shim: ffi/shim holds no C file");
  const include = join(root, "ffi/include");
  const version = await toolchainVersion("c");
  if (!version) throw new Error(`Cannot build the shim: "${compilerOf("c")}" is not installed`);
  const output = join(root, SHIM);
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

/**
 * Builds a binary from a copy of the sources, so that `dist/busbar` and what belongs to it stay as they are. Types are not
 * checked once more: lines of tables are all that it lacks.
 */
async function buildCustom(
  root: string,
  { source, runtime, log, custom }: {
    source: SourceState;
    runtime: CompileRuntime;
    log: (line: string) => void;
    custom: CustomBinary;
  },
): Promise<void> {
  const { output, included, leftOut } = custom;
  const folder = await Deno.makeTempDir({ prefix: "busbar_sources_" });
  try {
    const files = EMBEDDED.filter((path) => path !== BUILD_INFO);
    await copySources(root, folder, { leftOut, files });
    const stamp = join(root, "dist/.stamps/busbar_custom");
    const info = await buildBinary(folder, {
      ...{ source, runtime, output, stamp, leftOut },
      packages: await importedPackages(folder),
    });
    if (!info) return;
    const what = included.join(", ") || "no built-in component";
    log(`${output} ${info.version}, build ${info.buildId.slice(0, 12)}, with ${what}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Builds the binary from the sources in `root`, and gives what it says of itself, unless it is up to date. */
async function buildBinary(
  root: string,
  { runtime, output, stamp, ...about }: {
    source: SourceState;
    runtime: CompileRuntime;
    output: string;
    stamp: string;
    leftOut?: string[];
    packages?: ReadonlySet<string>;
  },
): Promise<BuildInfo | undefined> {
  const shim = join(root, SHIM);
  const info = await makeBuildInfo(root, { ...about, denortSha256: runtime.sha256, shim });
  const file = join(root, BUILD_INFO);
  await writeAtomic(file, json(info));
  const key = `${output} ${await hashFiles(root, [file])}`;
  const compile = () =>
    compileBinary(root, { output, runtime, check: about.leftOut === undefined });
  return await whenChanged({ stamp, key, outputs: [output] }, compile) ? info : undefined;
}

async function compileBinary(
  root: string,
  { output, runtime, check }: { output: string; runtime: CompileRuntime; check: boolean },
): Promise<void> {
  // Renamed into place: deno compile refuses to replace a file that it did not make, and a running one stays.
  const folder = await Deno.makeTempDir({ dir: dirname(output), prefix: ".compile_" });
  try {
    const binary = join(folder, basename(output));
    const command = [Deno.execPath(), "compile", "--quiet", "--frozen", "-A", "--output", binary];
    if (!check) command.push("--no-check");
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

/** Reads the arguments. @throws {Error} for those that are not understood, or cannot be meant */
async function customBinary(root: string, args: string[]): Promise<CustomBinary | undefined> {
  const options = { builtins: { type: "string" }, output: { type: "string" } } as const;
  const { builtins, output } = parseArgs({ args, options }).values;
  if (builtins === undefined) {
    if (output === undefined) return undefined;
    throw new Error("--output goes with --builtins: a binary with all components is dist/busbar");
  }
  const choice = chooseBuiltins(builtins);
  const path = resolve(output ?? join(root, "dist/busbar-custom"));
  await Deno.mkdir(dirname(path), { recursive: true });
  const real = join(await Deno.realPath(dirname(path)), basename(path));
  if (real === join(await Deno.realPath(root), "dist/busbar")) {
    throw new Error(`--output "${output}" is the binary with all components; name another file`);
  }
  if ((await statOrNothing(real))?.isDirectory) {
    throw new Error(`--output "${output}" is a folder; name a file`);
  }
  return { ...choice, output: real };
}

if (import.meta.main) {
  await main("build", async () => {
    const custom = await customBinary(PROJECT, Deno.args).catch((error: Error) => {
      throw new Error(`Cannot build: ${error.message}`);
    });
    await build(PROJECT, { log: (line) => console.log(`build: ${line}`), custom });
  });
}
