import assert from "node:assert/strict";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";
import { checkConfig } from "../../../src/config/graph_check.ts";
import { load } from "./support.ts";

async function messages(text: string): Promise<string[]> {
  const found = await checkConfig(await load(text), { plugins: [BUILTIN_MANIFEST] });
  return found.filter(({ severity }) => severity === "error")
    .map(({ line, message }) => `${line}: ${message}`);
}

const two = (enabled: boolean) =>
  `pipelines:
  first:
    sources: { in: { use: builtin/stdin } }
    reactions: { out: { use: builtin/discard, from: in } }
  second:
    enabled: ${enabled}
    sources:
      also:
        use: builtin/stdin
    reactions: { out: { use: builtin/discard, from: also } }
`;

Deno.test("standard input can be read by one source, of all pipelines that are enabled", async () => {
  assert.deepEqual(await messages(two(true)), [
    '9: Cannot read standard input in source "also" of pipeline "second": ' +
    'source "in" of pipeline "first" reads it',
  ]);
  assert.deepEqual(await messages(two(false)), []);
});

Deno.test("standard input cannot be split into partitions", async () => {
  const text = two(false).replace("  first:\n", "  first:\n    partitions: 2\n");
  assert.match((await messages(text))[0]!, /"in" \(builtin\/stdin\) cannot be partitioned/);
});

Deno.test("a source and a reaction of one name are told apart", async () => {
  const text = `pipelines:
  web:
    sources: { in: { use: builtin/file, config: { paths: [a] } } }
    reactions: { out: { use: builtin/file, from: in, config: { path: b } } }
`;
  assert.deepEqual(await messages(text), []);
  assert.match((await messages(text.replace("path: b", "paths: [b]")))[0]!, /Missing "path"/);
});
