import { z } from "zod";
import { PluginError } from "./errors.ts";

const schema = z.object({
  plugins: z.record(
    z.string(),
    z.object({
      toolchain_version: z.string(),
      build_profile: z.string(),
      dependency_hashes: z.record(z.string(), z.string()),
    }),
  ),
});

/** How the distribution built its plugins, by plugin name: `dist/build.lock`. */
export type BuildLock = z.infer<typeof schema>;

/** Reads a build lock. Throws a PluginError `BuildMismatch` when it is not there or malformed. */
export async function readBuildLock(path: string): Promise<BuildLock> {
  try {
    return schema.parse(JSON.parse(await Deno.readTextFile(path)));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new PluginError(
      "BuildMismatch",
      `Cannot read the build lock "${path}", which strict compatibility needs: ${reason}`,
      { path, cause },
    );
  }
}
