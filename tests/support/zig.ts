/** Building libraries for other systems, with the Zig that scripts/setup gets. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const ZIG = join(PROJECT, ".tools/zig/ziglang/zig");
const CACHE = join(PROJECT, ".tools/zig_cache");

/** Systems that libraries are built for, as Zig names them. */
export type ZigTarget =
  | "aarch64-linux-gnu"
  | "x86_64-macos"
  | "aarch64-macos"
  | "x86_64-windows-gnu"
  | "aarch64-windows-gnu";

/** Whether Zig is there. Without it a test says so and passes on a developer's machine; a CI server must have it. */
export async function hasZig(): Promise<boolean> {
  try {
    return (await Deno.stat(ZIG)).isFile;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (Deno.env.get("CI") === "true") {
      throw new Error(
        `Cannot test libraries of other systems: "${ZIG}" is missing, run scripts/setup`,
      );
    }
    console.log("Zig is missing, so libraries of other systems are not tested: run scripts/setup");
    return false;
  }
}

/** Compiles the C program `source` to the shared library `output`; throws with the compiler's output when it fails. */
export async function zigBuild(
  target: ZigTarget,
  paths: { source: string; output: string },
  args: readonly string[] = [],
): Promise<void> {
  const { success, stderr } = await new Deno.Command(ZIG, {
    args: ["cc", "-target", target, "-shared", "-fPIC", "-O1", "-o", paths.output, paths.source]
      .concat(args),
    env: { ZIG_GLOBAL_CACHE_DIR: CACHE, ZIG_LOCAL_CACHE_DIR: CACHE },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`zig cc -target ${target}: ${new TextDecoder().decode(stderr)}`);
  }
}
