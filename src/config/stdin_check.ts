import type { Diagnostic } from "./diagnostic.ts";
import type { LoadedConfig } from "./load.ts";
import type { ResolvedPipeline } from "./resolved.ts";

/**
 * Checks that one source reads standard input, since each byte can be given to one only.
 * @returns what is wrong, and the ids of the pipelines with the sources that come too late
 */
export function checkStandardInput(
  { source }: LoadedConfig,
  pipelines: readonly ResolvedPipeline[],
): { refused: Set<string>; diagnostics: Diagnostic[] } {
  const refused = new Set<string>();
  const [first, ...others] = pipelines.filter(({ enabled }) => enabled).flatMap((pipeline) =>
    pipeline.components
      .filter(({ kind, plugin, component }) =>
        kind === "source" && plugin === "builtin" && component === "stdin"
      )
      .map(({ id }) => ({ pipeline: pipeline.id, id }))
  );
  const diagnostics = others.map(({ pipeline, id }) => {
    refused.add(pipeline);
    return source.diagnostic(
      ["pipelines", pipeline, "sources", id, "use"],
      `Cannot read standard input in source "${id}" of pipeline "${pipeline}": ` +
        `source "${first!.id}" of pipeline "${first!.pipeline}" reads it`,
      { suggestion: "let both pipelines' processors read from one source" },
    );
  });
  return { refused, diagnostics };
}
