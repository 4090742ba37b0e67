/** docs/expressions.md against the environment that expressions are compiled in. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { environmentOf, EVENT_VARIABLES } from "../../../src/expression/environment.ts";

const page = await Deno.readTextFile(join(PROJECT, "docs/expressions.md"));

function section(heading: string): string {
  return page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
}

Deno.test("docs/expressions.md has exactly the variables there are, with their types", () => {
  const rows = [...section("Variables").matchAll(/^\| `(\w+)` \| `([^`]+)` \|/gm)];
  const told = Object.fromEntries(rows.map(([, name, type]) => [name, type]));
  assert.deepEqual(told, EVENT_VARIABLES);
});

Deno.test("docs/expressions.md names exactly the functions there are", () => {
  const { functions } = environmentOf().getDefinitions();
  const names = new Set(functions.map(({ name }) => name));
  const spans = [...section("Functions").replace(/^Patterns of.*/ms, "").matchAll(/`([^`]+)`/g)];
  const words = new Set(spans.flatMap(([, span]) => span!.match(/[A-Za-z_]\w*(?=\(|$)/g) ?? []));
  assert.deepEqual([...names].filter((name) => !words.has(name)), []);
  const unknown = [...words].filter((word) => !names.has(word));
  assert.deepEqual(unknown, []);
});
