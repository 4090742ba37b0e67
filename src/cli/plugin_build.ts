import { join, relative } from "node:path";
import { buildProject, type BuiltPlugin } from "../project/build.ts";
import { ExitCode } from "./exit_codes.ts";
import { printJson } from "./output.ts";
import type { GlobalOptions } from "./program.ts";

export interface BuildOptions extends GlobalOptions {
  out?: string;
  debug?: boolean;
}

/** `busbar plugin build`: compiles the project in the working directory. */
export async function build(options: BuildOptions): Promise<ExitCode> {
  const built = await buildHere(options);
  const { libraryPath, manifestPath, manifest } = built;
  if (options.json) {
    printJson({
      name: manifest.name,
      version: manifest.version,
      library: libraryPath,
      manifest: manifestPath,
    });
    return ExitCode.OK;
  }
  console.log(`Built ${manifest.name} ${manifest.version}: ${relative(Deno.cwd(), libraryPath)}`);
  return ExitCode.OK;
}

/** Builds what `build` and `pack` build. */
export async function buildHere({ out, debug = false }: BuildOptions): Promise<BuiltPlugin> {
  const folder = Deno.cwd();
  return await buildProject({ folder, outDir: out ?? join(folder, "dist"), debug });
}
