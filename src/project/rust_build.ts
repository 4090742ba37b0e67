import { dirname, join } from "node:path";
import { ProjectError } from "./errors.ts";
import { run, statOrNothing } from "./files.ts";
import type { RustProject } from "./project.ts";

/** How cargo is called. */
export interface RustBuildOptions {
  /** Folder with the SDKs. */
  sdk: string;
  debug: boolean;
  /** Where cargo keeps what it compiles. @default `$CARGO_TARGET_DIR`, else `target/` in the project */
  targetDir?: string | undefined;
  /** What a manifest states as build time, in seconds since 1970. */
  seconds: number;
}

/** Compiles the project, which embeds its manifest itself; the path of the library. */
export async function compileRust(
  { folder, name }: RustProject,
  options: RustBuildOptions,
): Promise<string> {
  const { sdk, debug, seconds } = options;
  const targetDir = options.targetDir ??
    (Deno.env.get("CARGO_TARGET_DIR") || join(folder, "target"));
  const locked = await statOrNothing(join(folder, "Cargo.lock")) !== undefined;
  const messages = await run([
    ...["cargo", "build", "--lib", "--quiet", "--message-format=json-render-diagnostics"],
    ...(debug ? [] : ["--release"]),
    ...(locked ? ["--locked"] : []),
    ...["--target-dir", targetDir],
  ], {
    cwd: folder,
    env: {
      CARGO_ENCODED_RUSTFLAGS: rustFlags(folder, { sdk, debug }).join("\x1f"),
      SOURCE_DATE_EPOCH: String(seconds),
    },
  });
  const manifest = join(folder, "Cargo.toml");
  for (const line of messages.split("\n")) {
    if (!line.startsWith("{")) continue;
    const { reason, manifest_path, target, filenames } = JSON.parse(line) as CargoMessage;
    if (reason !== "compiler-artifact" || manifest_path !== manifest) continue;
    const library = target?.kind.includes("cdylib") &&
      filenames?.find((file) => /\.(so|dylib)$/.test(file));
    if (library) return library;
  }
  throw new ProjectError(
    `Cannot build plugin "${name}": cargo made no shared library; put crate-type = ["cdylib", "rlib"] below [lib] in ` +
      `"${manifest}"`,
  );
}

interface CargoMessage {
  reason: string;
  manifest_path?: string;
  target?: { kind: string[] };
  filenames?: string[];
}

/** The author's own flags and, so that no path of this machine stands in the library, maps. A debugger wants the paths. */
function rustFlags(folder: string, { sdk, debug }: { sdk: string; debug: boolean }): string[] {
  const own = (Deno.env.get("RUSTFLAGS") ?? "").split(" ").filter((flag) => flag !== "");
  if (debug) return own;
  const home = Deno.env.get("CARGO_HOME") ?? join(Deno.env.get("HOME") ?? "/", ".cargo");
  const inside = sdk.startsWith(folder + "/");
  const roots: [string, string][] = [
    // The same flags for all projects of one repository, so that what they share is compiled once.
    [inside ? folder : dirname(sdk), "."],
    [home, "cargo"],
  ];
  return [...own, ...roots.map(([from, to]) => `--remap-path-prefix=${from}=${to}`)];
}
