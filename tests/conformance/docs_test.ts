import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../scripts/lib/files.ts";
import { listChecks } from "../../src/conformance/suite.ts";

const PAGE = join(PROJECT, "docs/conformance.md");

Deno.test("docs/conformance.md lists exactly the checks there are, with their sentences", async () => {
  const page = await Deno.readTextFile(PAGE);
  const [, found = ""] = /<!-- checks: [^\n]*-->\n(.*)<!-- \/checks -->/s.exec(page) ?? [];
  const rows = (await listChecks()).map(({ name, kinds, severity, proves }) =>
    `| \`${name}\` | ${
      kinds === undefined ? "the file" : kinds.join(", ")
    } | ${severity} | ${proves} |`
  );
  const table = ["| check | of | severity | proves |", "|---|---|---|---|", ...rows, ""].join("\n");
  assert.equal(found, table, `Put this into docs/conformance.md:\n${table}`);
});
