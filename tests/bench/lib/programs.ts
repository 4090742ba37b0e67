import { join } from "node:path";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { compilerOf } from "../../../src/project/toolchain.ts";
import { PROJECT, run } from "../../../scripts/lib/files.ts";

/** Everything native that the benchmark runs, as absolute paths. */
export interface Programs {
  /** Folder for `--plugin-dir`, holding exactly the three plugins below. */
  pluginDir: string;
  source: string;
  pass: string;
  sink: string;
  /** The C host that loads plugins. */
  host: string;
  /** The C host that has source and sink linked in. */
  hostStatic: string;
  /** Library with the function that takes events as JSON. */
  json: string;
}

const BENCH = join(PROJECT, "tests/bench");
const FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"];

/** Compiles the plugins and the C programs into `folder`. The code flags are those of every plugin. */
export async function buildPrograms(folder: string): Promise<Programs> {
  const pluginDir = join(folder, "plugins");
  const count = { type: "integer", minimum: 0, default: 1_000_000 };
  const [source, pass, sink, host, hostStatic, json] = await Promise.all([
    plugin(pluginDir, "bench-source", {
      kind: "source",
      name: "load",
      replayable: true,
      config_schema: schema({
        count,
        warmup: { type: "integer", minimum: 0, description: "Events before the clock starts" },
        payload: { type: "integer", minimum: 0, maximum: 65536, default: 64 },
        seed: { type: "integer", minimum: 0, default: 1 },
        hold: { type: "boolean", default: false, description: "Stay idle at the end" },
      }),
    }),
    plugin(pluginDir, "bench-pass", { kind: "processor", name: "pass", config_schema: schema({}) }),
    plugin(pluginDir, "bench-sink", {
      kind: "reaction",
      name: "sink",
      config_schema: schema({ count, result_file: { type: "string" } }, ["result_file"]),
    }),
    compile([join(BENCH, "host.c"), "-ldl"], join(folder, "host")),
    compileStatic(folder),
    compile(
      ["-fPIC", "-shared", "-fvisibility=hidden", join(BENCH, "lib/json_ffi.c")],
      join(folder, "json_ffi.so"),
    ),
  ]);
  return { pluginDir, source, pass, sink, host, hostStatic, json };
}

async function plugin(
  outDir: string,
  name: string,
  component: { kind: string; [key: string]: unknown },
): Promise<string> {
  const file = name.replace("-", "_");
  const { libraryPath } = await buildPlugin({
    folder: join(BENCH, "plugins"),
    outDir,
    overrides: {
      manifest: { name, version: "1.0.0", license: "Apache-2.0", components: [component] },
      build: {
        language: "c",
        sources: [`${file}.c`],
        cflags: ["-D_GNU_SOURCE"],
        library: `libbusbar_${component.kind}_${file}.so`,
      },
    },
  });
  return libraryPath;
}

function schema(properties: Record<string, unknown>, required: string[] = []): unknown {
  return { type: "object", properties, required, additionalProperties: false };
}

async function compile(args: string[], output: string): Promise<string> {
  const include = `-I${join(PROJECT, "ffi/include")}`;
  await run([compilerOf("c"), ...FLAGS, include, ...args, "-o", output]);
  return output;
}

/** Compiled one by one, as the libraries are, so that nothing is inlined from one into the other. */
async function compileStatic(folder: string): Promise<string> {
  const objects = await Promise.all(["source", "sink"].map((name) => {
    const rename = `-Dbusbar_plugin=bench_${name}_plugin`;
    const file = join(BENCH, `plugins/bench_${name}.c`);
    return compile([rename, "-c", file], join(folder, `${name}.o`));
  }));
  const host = join(BENCH, "host.c");
  return compile(["-DBENCH_STATIC", host, ...objects, "-ldl"], join(folder, "host_static"));
}
