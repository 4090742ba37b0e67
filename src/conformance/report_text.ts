import { countsOf, type Outcome, type Report } from "./report.ts";

const MARKS = { passed: "ok", failed: "FAILED", "not applicable": "-" } as const;
const INDENT = " ".repeat(9);

/** The report for people. */
export function reportAsText(report: Report): string {
  const lines = [headLine(report.plugin, report.seed)];
  let part: string | undefined;
  for (const outcome of report.outcomes) {
    const title = titleOf(outcome);
    if (title !== part) lines.push("", title);
    part = title;
    lines.push(...outcomeLines(outcome));
  }
  lines.push("", summaryLine(report), "");
  return lines.join("\n");
}

export function headLine(
  { name, version }: { name: string; version: string | undefined },
  seed: number,
): string {
  return `${printable([name, version].filter(Boolean).join(" "))}, seed ${seed}`;
}

/** What an outcome is about. */
export function titleOf({ component }: Outcome): string {
  return component ? `${component.kind} ${component.name}` : "The file";
}

/** Verdict, name and sentence of a check, and what was seen where that matters. */
export function outcomeLines(outcome: Outcome): string[] {
  const { check, verdict, proves, seen, reproduce } = outcome;
  const head = `  ${markOf(outcome).padEnd(6)} ${check}: ${proves}`;
  if (verdict === "passed") return [head];
  const details = seen.split("\n").map((line) => INDENT + printable(line));
  if (verdict === "not applicable") return [head, ...details];
  return [head, ...details, `${INDENT}Again: ${printable(reproduce)}`];
}

/** The word before a check. */
export function markOf({ verdict, severity }: Outcome): string {
  return verdict === "failed" && severity === "warning" ? "WARN" : MARKS[verdict];
}

export function summaryLine(report: Report): string {
  const { passed, failed, warnings, notApplicable } = countsOf(report);
  return `${passed} passed, ${failed} failed, ${warnings} warnings, ${notApplicable} not applicable`;
}

/** A line without what steers a terminal. */
function printable(line: string): string {
  // deno-lint-ignore no-control-regex
  return line.replace(/[\x00-\x1f\x7f-\x9f]/g, "\u00b7");
}
