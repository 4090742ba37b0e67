import { escapeXml } from "../xml.ts";
import type { Outcome } from "./model.ts";

type Paint = (text: string, tone: "green" | "red" | "bold") => string;

/** The lines about one case, for people. */
export function outcomeLines(outcome: Outcome, paint: Paint): string[] {
  const { name, passed, seconds, mismatches, notes } = outcome;
  const mark = passed ? paint("ok    ", "green") : paint("FAILED", "red");
  const lines = [`  ${mark} ${printable(name)} (${Math.round(seconds * 1000)} ms)`];
  for (const { place, message, details } of mismatches) {
    lines.push(`    ${paint(place, "bold")}: ${printable(message)}`);
    lines.push(...details.map((line) => `      ${detailLine(line, paint)}`));
  }
  if (!passed) lines.push(...notes.map((note) => `    ${printable(note)}`));
  return lines;
}

/** What is missing is red, what is too much green, as in a diff. */
function detailLine(line: string, paint: Paint): string {
  const text = printable(line);
  if (line.startsWith("- ")) return paint(text, "red");
  if (line.startsWith("+ ")) return paint(text, "green");
  const change = /^(\s+.*?: expected )(.*)(, got )(.*)$/.exec(text);
  if (change === null) return text;
  const [, head = "", expected = "", between = "", actual = ""] = change;
  return head + paint(expected, "red") + between + paint(actual, "green");
}

export function summaryLine(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ passed }) => !passed).length;
  return `${outcomes.length - failed} passed, ${failed} failed`;
}

/** The report for people. */
export function reportAsText(outcomes: readonly Outcome[]): string {
  const plain: Paint = (text) => text;
  const lines: string[] = [];
  for (const [file, those] of Map.groupBy(outcomes, ({ file }) => file)) {
    lines.push(file, ...those.flatMap((outcome) => outcomeLines(outcome, plain)), "");
  }
  return [...lines, summaryLine(outcomes), ""].join("\n");
}

/** The report for programs. */
export function reportAsJson(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ passed }) => !passed).length;
  const report = { passed: outcomes.length - failed, failed, tests: outcomes };
  return JSON.stringify(report, null, 2) + "\n";
}

/** The report as JUnit XML: a test suite for each file. */
export function reportAsJunit(outcomes: readonly Outcome[]): string {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${totals("busbar test", outcomes)}>`,
  ];
  for (const [file, those] of Map.groupBy(outcomes, ({ file }) => file)) {
    lines.push(
      `  <testsuite ${totals(file, those)} errors="0" skipped="0">`,
      ...those.flatMap(caseLines),
      "  </testsuite>",
    );
  }
  return [...lines, "</testsuites>", ""].join("\n");
}

function totals(name: string, outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ passed }) => !passed).length;
  const seconds = outcomes.reduce((sum, { seconds }) => sum + seconds, 0);
  return `name="${escapeXml(name)}" tests="${outcomes.length}" failures="${failed}" ` +
    `time="${seconds.toFixed(3)}"`;
}

function caseLines({ file, name, line, seconds, mismatches, notes }: Outcome): string[] {
  const start = `    <testcase classname="${escapeXml(file)}" name="${escapeXml(name)}" ` +
    `file="${escapeXml(file)}" line="${line}" time="${seconds.toFixed(3)}">`;
  const failures = mismatches.map(({ place, message, details }) =>
    `      <failure message="${escapeXml(`${place}: ${message}`)}" type="expectation">` +
    `${escapeXml(details.join("\n"))}</failure>`
  );
  const output = notes.length === 0
    ? []
    : [`      <system-out>${escapeXml(notes.join("\n"))}</system-out>`];
  return [start, ...failures, ...output, "    </testcase>"];
}

/** A line without what steers a terminal. */
function printable(line: string): string {
  // deno-lint-ignore no-control-regex
  return line.replace(/[\x00-\x1f\x7f-\x9f]/g, "\u00b7");
}
