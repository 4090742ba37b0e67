import { ContentsCache } from "../plugin/contents.ts";
import { parseManifest } from "../plugin/manifest.ts";
import { PluginError } from "../plugin/errors.ts";
import { ProjectError } from "./errors.ts";
import type { JsonObject } from "./project.ts";

/**
 * Reads what a library that was just built says of itself, as a host would before it loads it.
 *
 * @throws {ProjectError} where one of the three exports is missing or the manifest is wrong
 */
export async function readBack(
  library: string,
  name: string,
): Promise<{ manifest: JsonObject; text: string }> {
  try {
    const { manifest, faults } = await new ContentsCache().read(library);
    if (manifest === undefined || faults.length > 0) {
      const reasons = faults.map(({ reason }) => reason).join("; ");
      throw new ProjectError(
        `Cannot use the library that was built of "${name}": ${reasons}${adviceFor(reasons)}`,
      );
    }
    parseManifest(manifest, { file: library });
    const text = new TextDecoder().decode(manifest);
    return { manifest: JSON.parse(text), text };
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    throw new ProjectError(`Cannot use the library that was built of "${name}": ${error.message}`, {
      cause: error,
    });
  }
}

function adviceFor(reasons: string): string {
  if (!reasons.includes('"busbar_plugin"')) return "";
  return "; declare the plugin: BUSBAR_PLUGIN in C, BUSBAR_EXPORT_PLUGIN in C++, export_plugin! in Rust, busbar.Export in Go";
}
