import { join } from "node:path";
import { compilerOf, toolchainVersion } from "../../src/project/toolchain.ts";
import { hashFiles, listFiles, run, whenChanged, writeAtomic } from "./files.ts";

const FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-g1", "-Wall", "-Wextra", "-Werror"];
const LIBS = ["-ldl", "-pthread"];

/** The driver of `busbar plugin test`, relative to the project. */
export const CONFORMANCE_DRIVER = "dist/conformance/busbar_conformance";

/** Whether the driver can be built here: it counts threads and descriptors in /proc. */
export const HAS_CONFORMANCE_DRIVER = Deno.build.os === "linux";

/**
 * Builds the native driver of `busbar plugin test` from `ffi/conformance/`, when it is out of date.
 *
 * @param root the project's folder
 * @param log gets a line when something was built
 * @returns the driver's path
 * @throws {Error} where there is no C compiler
 */
export async function buildConformance(
  root: string,
  log: (line: string) => void,
): Promise<string> {
  const version = await toolchainVersion("c");
  if (!version) {
    throw new Error(`Cannot build the conformance driver: "${compilerOf("c")}" is not installed`);
  }
  const include = join(root, "ffi/include");
  const files = (await listFiles(join(root, "ffi/conformance"))).sort();
  const output = join(root, CONFORMANCE_DRIVER);
  const headers = ["busbar.h", "busbar_sdk.h", "busbar_json.h"].map((name) => join(include, name));
  const ran = await whenChanged({
    stamp: join(root, "dist/.stamps/conformance"),
    key: version + FLAGS + LIBS + await hashFiles(root, [...files, ...headers]),
    outputs: [output],
  }, async () => {
    const folder = await Deno.makeTempDir({ prefix: "busbar_conformance_" });
    try {
      const program = join(folder, "driver");
      const sources = files.filter((file) => file.endsWith(".c"));
      const paths = [`-ffile-prefix-map=${root}=.`, "-I", include];
      await run([compilerOf("c"), ...FLAGS, ...paths, ...sources, ...LIBS, "-o", program]);
      await writeAtomic(output, await Deno.readFile(program), { mode: 0o755 });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
  if (ran) log("conformance");
  return output;
}
