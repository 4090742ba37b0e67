/** What this program was built from: `dist/build_info.json`, which `scripts/build` embeds in the binary. */
export interface BuildInfo {
  version: string;
  /** Names the code: host and cell must have the same. "development" when run from sources. */
  buildId: string;
  gitCommit: string | null;
  /** ISO 8601; null when run from sources. */
  buildTime: string | null;
  deno: string;
  v8: string;
  typescript: string;
  /** SHA-256 of the runtime under the program, where it is known. */
  denortSha256: string | null;
  target: string;
  abi: { version: string; hash: string } | null;
  dependencies: { name: string; version: string; integrity: string }[];
  /** Built-in components that it was built without, as `kind/name`. */
  leftOut: string[];
}

let info: BuildInfo | undefined;

/**
 * Reads it at the first call. Only the compiled binary has it: a file that an earlier build left in `dist/` says nothing
 * about sources that run uncompiled.
 *
 * @throws {Error} when the binary was built without it
 */
export function buildInfo(): BuildInfo {
  return info ??= Deno.build.standalone ? embedded() : development();
}

function embedded(): BuildInfo {
  const file = new URL("../dist/build_info.json", import.meta.url);
  try {
    return JSON.parse(Deno.readTextFileSync(file)) as BuildInfo;
  } catch (cause) {
    throw new Error("Cannot read build_info.json from the binary: build it with scripts/build", {
      cause,
    });
  }
}

function development(): BuildInfo {
  const deno = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  return {
    version: deno.version,
    buildId: "development",
    gitCommit: null,
    buildTime: null,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    typescript: Deno.version.typescript,
    denortSha256: null,
    target: Deno.build.target,
    abi: null,
    dependencies: [],
    leftOut: [],
  };
}
