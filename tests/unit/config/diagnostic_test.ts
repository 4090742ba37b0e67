import assert from "node:assert/strict";
import { ConfigError, type Diagnostic, formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { ConfigSource } from "../../../src/config/source.ts";

const found: Diagnostic = {
  severity: "error",
  file: "busbar.yaml",
  line: 12,
  column: 22,
  path: "pipelines.web.processors.parsed.use",
  message: 'Unknown plugin "acces-log" in pipelines.web.processors.parsed.use',
  suggestion: 'did you mean "access-log"?',
  snippet: { text: "      parsed: { use: acces-log/parse, from: [access] }", length: 15 },
};

Deno.test("formatDiagnostic() prints place, line, carets and suggestion", () => {
  assert.equal(
    formatDiagnostic(found),
    `busbar.yaml:12:22: error: Unknown plugin "acces-log" in pipelines.web.processors.parsed.use
   12 |       parsed: { use: acces-log/parse, from: [access] }
      |                      ^^^^^^^^^^^^^^^
  did you mean "access-log"?`,
  );
});

Deno.test("formatDiagnostic() colours only when asked", () => {
  assert.ok(!formatDiagnostic(found).includes("\x1b"));
  assert.ok(formatDiagnostic(found, { colour: true }).includes("\x1b[31merror\x1b[0m"));
});

Deno.test("formatDiagnostic() names the variable or flag where there is no line", () => {
  const { line: _line, column: _column, snippet: _snippet, suggestion: _s, ...rest } = found;
  const text = formatDiagnostic({ ...rest, file: "BUSBAR_SERVER__PORT", message: "Wrong" });
  assert.equal(text, "BUSBAR_SERVER__PORT: error: Wrong");
});

Deno.test("formatDiagnostic() lets no escape sequence of the file reach the terminal", () => {
  const text = formatDiagnostic({
    ...found,
    message: "Unknown key \x1b[2J",
    snippet: { text: "\t\x1b[31mred", length: 3 },
    column: 2,
  });
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\x00-\x09\x0b-\x1f]/.test(text));
});

Deno.test("formatDiagnostic() shows the meant part of a very long line", () => {
  const line = "x".repeat(5000) + "HERE" + "y".repeat(5000);
  const text = formatDiagnostic({ ...found, column: 5001, snippet: { text: line, length: 4 } });
  const [, shown = "", carets = ""] = text.split("\n");
  assert.ok(shown.length < 200);
  assert.equal(shown.slice(carets.indexOf("^"), carets.lastIndexOf("^") + 1), "HERE");
});

Deno.test("ConfigError names the file, the number of errors and the first", () => {
  const warning: Diagnostic = { ...found, severity: "warning" };
  const error = new ConfigError("busbar.yaml", [warning, found, found]);
  assert.match(
    error.message,
    /^Cannot use configuration "busbar.yaml": 2 errors, first busbar.yaml:12:22: /,
  );
});

Deno.test("ConfigSource points at the nearest thing around a path that is not there", () => {
  const source = new ConfigSource("f", "a:\n  b: 1\n");
  source.record(["a"], { key: [0, 1], value: [5, 9] });
  const { line, column, path } = source.diagnostic(["a", "c", 0], "Missing");
  assert.deepEqual([line, column, path], [1, 1, "a.c[0]"]);
});
