import { join, relative } from "node:path";
import { packPlugin } from "../project/pack.ts";
import { ExitCode } from "./exit_codes.ts";
import { printJson } from "./output.ts";
import { buildHere, type BuildOptions } from "./plugin_build.ts";

/** `busbar plugin pack`: builds the project in the working directory and puts the result into an archive. */
export async function pack(options: BuildOptions): Promise<ExitCode> {
  const built = await buildHere(options);
  const outDir = options.out ?? join(Deno.cwd(), "dist");
  const { path, size, sha256, files } = await packPlugin(built, outDir);
  if (options.json) printJson({ path, size, sha256, files });
  else console.log(`${sha256}  ${relative(Deno.cwd(), path)}`);
  return ExitCode.OK;
}
