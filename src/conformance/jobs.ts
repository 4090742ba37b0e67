import type { Inspection } from "../plugin/inspect.ts";
import type { ManifestComponent } from "../plugin/manifest.ts";
import { ConformanceError } from "./fixtures.ts";
import type { Check } from "./report.ts";

/** One check of one component, or of the file. */
export interface Job {
  readonly check: Check;
  readonly component: ManifestComponent | undefined;
}

/** What of all that could be checked is asked for. */
export interface Selection {
  /** Only this component, and no check of the file. */
  readonly component?: string;
  /** Only checks with one of these names, in which `*` stands for anything; empty for all. */
  readonly patterns: readonly string[];
}

/**
 * The jobs of a plugin, in the order in which they are reported: those of the file, then those of each component.
 *
 * @throws {ConformanceError} when a component or a check is asked for that there is not
 */
export function selectJobs(
  { name: plugin, manifest }: Inspection,
  checks: readonly Check[],
  { component: only, patterns }: Selection,
): Job[] {
  const components = manifest?.components ?? [];
  if (only !== undefined && !components.some(({ name }) => name === only)) {
    const names = components.map(({ name }) => `"${name}"`).join(", ");
    throw new ConformanceError(
      `Cannot test component "${only}": plugin "${plugin}" has ${names || "none"}`,
    );
  }
  for (const pattern of patterns) {
    if (!checks.some(({ name }) => matches(name, pattern))) {
      throw new ConformanceError(
        `Cannot run check "${pattern}": there is none of that name; "busbar plugin test --list" shows all`,
      );
    }
  }
  const wanted = checks.filter(({ name }) =>
    patterns.length === 0 || patterns.some((pattern) => matches(name, pattern))
  );
  const ofFile = only === undefined ? wanted.filter(({ kinds }) => kinds === undefined) : [];
  return [
    ...ofFile.map((check) => ({ check, component: undefined })),
    ...components.filter(({ name }) => only === undefined || name === only).flatMap((component) =>
      wanted.filter(({ kinds }) => kinds?.includes(component.kind))
        .map((check) => ({ check, component }))
    ),
  ];
}

function matches(name: string, pattern: string): boolean {
  const source = pattern.split("*").map((part) => RegExp.escape(part)).join(".*");
  return new RegExp(`^${source}$`).test(name);
}
