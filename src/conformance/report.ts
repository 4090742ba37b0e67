import type { ComponentKind } from "../plugin/manifest.ts";

/** Whether a plugin that fails a check is refused, or merely told. */
export type Severity = "error" | "warning";

export type Verdict = "passed" | "failed" | "not applicable";

/** One thing that is checked. */
export interface Check {
  /** Words joined by "-". */
  readonly name: string;
  /** One sentence: what a plugin that passes has shown. */
  readonly proves: string;
  readonly severity: Severity;
  /** Kinds of component it is run for, each component by itself; undefined when it is about the whole file. */
  readonly kinds: readonly ComponentKind[] | undefined;
  /** Sorts of settings that it tries besides those that work and are valid. */
  readonly tries?: readonly ("default" | "invalid" | "huge" | "random")[];
}

/** How one check went for one component, or for the file. */
export interface Outcome {
  readonly check: string;
  readonly component: { readonly kind: ComponentKind; readonly name: string } | undefined;
  readonly proves: string;
  readonly severity: Severity;
  readonly verdict: Verdict;
  /** What was seen; for "not applicable", why. */
  readonly seen: string;
  readonly seed: number;
  /** In seconds. */
  readonly duration: number;
  /** A command line that runs this check alone. */
  readonly reproduce: string;
}

/** What was found out about a plugin. */
export interface Report {
  readonly plugin: {
    readonly name: string;
    readonly version: string | undefined;
    readonly path: string;
    /** SHA-256 of the library, in hex. */
    readonly digest: string;
    readonly target: string;
  };
  readonly seed: number;
  readonly outcomes: readonly Outcome[];
}

export interface Counts {
  readonly passed: number;
  /** Failed checks whose severity is error. */
  readonly failed: number;
  /** Failed checks whose severity is warning. */
  readonly warnings: number;
  readonly notApplicable: number;
}

export function countsOf({ outcomes }: Report): Counts {
  const count = (verdict: Verdict, severity?: Severity) =>
    outcomes.filter((outcome) =>
      outcome.verdict === verdict && (severity === undefined || outcome.severity === severity)
    ).length;
  return {
    passed: count("passed"),
    failed: count("failed", "error"),
    warnings: count("failed", "warning"),
    notApplicable: count("not applicable"),
  };
}

/** Whether no check failed whose severity is error. */
export function isConformant(report: Report): boolean {
  return countsOf(report).failed === 0;
}

/** The report as docs/conformance.md describes it for other programs. */
export function reportAsJson(report: Report): unknown {
  return {
    version: 1,
    ok: isConformant(report),
    plugin: { ...report.plugin, version: report.plugin.version ?? null },
    seed: report.seed,
    counts: countsOf(report),
    checks: report.outcomes.map((outcome) => ({
      ...outcome,
      component: outcome.component ?? null,
    })),
  };
}
