import { escapeXml } from "../xml.ts";
import { countsOf, type Outcome, type Report } from "./report.ts";

/**
 * The report as JUnit XML: a test suite for the file and one for each component. Failed warnings are no failures there, since what
 * reads this knows only red and green; they stand in the case's output.
 */
export function reportAsJunit(report: Report): string {
  const { name, version } = report.plugin;
  const { failed } = countsOf(report);
  const suites = Map.groupBy(report.outcomes, suiteOf);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${
      escapeXml(`${name} ${version ?? ""}`.trim())
    }" tests="${report.outcomes.length}" ` +
    `failures="${failed}" time="${secondsOf(report.outcomes)}">`,
    ...[...suites].flatMap(([suite, outcomes]) => suiteLines(`${name}.${suite}`, outcomes, report)),
    "</testsuites>",
  ];
  return lines.join("\n") + "\n";
}

function suiteOf({ component }: Outcome): string {
  return component?.name ?? "file";
}

function suiteLines(name: string, outcomes: readonly Outcome[], report: Report): string[] {
  const failed = outcomes.filter(isFailure).length;
  const skipped = outcomes.filter(({ verdict }) => verdict === "not applicable").length;
  return [
    `  <testsuite name="${
      escapeXml(name)
    }" tests="${outcomes.length}" failures="${failed}" errors="0" ` +
    `skipped="${skipped}" time="${secondsOf(outcomes)}">`,
    "    <properties>",
    `      <property name="file" value="${escapeXml(report.plugin.path)}"/>`,
    `      <property name="seed" value="${report.seed}"/>`,
    "    </properties>",
    ...outcomes.flatMap((outcome) => caseLines(name, outcome)),
    "  </testsuite>",
  ];
}

function caseLines(suite: string, outcome: Outcome): string[] {
  const { check, proves, seen, verdict, reproduce, duration } = outcome;
  const start = `    <testcase classname="${escapeXml(suite)}" name="${escapeXml(check)}" time="${
    duration.toFixed(3)
  }">`;
  const body = isFailure(outcome)
    ? [
      `      <failure message="${escapeXml(firstLine(seen))}" type="${escapeXml(check)}">` +
      `${escapeXml(`${proves}\n${seen}\nAgain: ${reproduce}`)}</failure>`,
    ]
    : verdict === "not applicable"
    ? [`      <skipped message="${escapeXml(seen)}"/>`]
    : [];
  const warning = verdict === "failed" && !isFailure(outcome)
    ? [`      <system-out>${escapeXml(`Warning: ${seen}\nAgain: ${reproduce}`)}</system-out>`]
    : [];
  return [start, ...body, ...warning, "    </testcase>"];
}

function isFailure({ verdict, severity }: Outcome): boolean {
  return verdict === "failed" && severity === "error";
}

function secondsOf(outcomes: readonly Outcome[]): string {
  return outcomes.reduce((sum, { duration }) => sum + duration, 0).toFixed(3);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}
